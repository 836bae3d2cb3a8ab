"""What of the places of an environment is this project's, and who may use it.

Only what bears the marker of a whole environment, or lies where environments are built, is this
project's to move and to remove. Modes are set and compared, not inherited: under the umask of
somebody's login, sudo or controller an environment would be closed to others, or open to writing.

Root works by path name below the folder that holds it all. That is safe as long as nobody else can
rename anything in it, so a folder in which others could is refused, not mended: they may have put
programs there. Within an environment modes are changed by descriptor, links not followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Iterator, Optional

from ..rootfs import RootFs, UnreadableError
from .contents import Difference, marker

_FOLDER, _PYTHONS = "environments", "python"
# What root runs, or builds from.
_OWN_FOLDERS = ("", _FOLDER, "bin", "wheels", _PYTHONS, "cache")
_ALL_READ, _ALL_ENTER, _OTHERS_WRITE = 0o044, 0o011, 0o022


def foreign(prefix: Path, stack: str) -> str:
    """Return why the place of a stack's environment is somebody else's, with the remedy.

    Empty if not.
    """
    link = prefix / stack
    for folder in (prefix, prefix / _FOLDER):
        if os.path.lexists(folder) and not folder.is_dir():
            return _refusal(folder, "it is not a folder")
    shared = _shared(prefix)
    if shared:
        return shared
    if not os.path.lexists(link):
        return ""
    if link.is_symlink():
        target = Path(os.path.join(prefix, os.readlink(link)))  # noqa: PTH118 - as it is written
        if not target.exists() or target.parent == prefix / _FOLDER or is_own(target):
            return ""
        return _refusal(link, f"it names {target}, which rdna1 did not build")
    return "" if is_own(link) else _refusal(link, "rdna1 did not build it")


def _shared(prefix: Path) -> str:
    """Return why one of root's own folders is not root's alone, with the remedy.

    Empty where all are.
    """
    if os.geteuid() != 0:
        return ""
    for folder in (prefix / name for name in _OWN_FOLDERS):
        status = _status(folder)
        # Of the group root nobody else is a member.
        writable = status and (
            status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0)
        )
        if status and (status.st_uid != 0 or writable):
            return (
                f"{folder} can be written by others than root, who may have put programs there "
                "that root would run. Nothing was changed. Remedy: look at what is in it, then "
                f"chown -R root:root {prefix} and chmod -R go-w {prefix}; run again"
            )
    return ""


def _status(folder: Path) -> Optional[os.stat_result]:  # noqa: UP045 - Python 3.8
    try:
        return folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_own(folder: Path) -> bool:
    """Return whether a folder is an environment that this project built, of any release."""
    # Releases before the marker put this project into it as well.
    try:
        if marker(RootFs(), str(folder)):
            return True
    except UnreadableError:
        pass
    return any(folder.glob("lib/python3*/site-packages/rdna1-*.dist-info"))


def closed(environment: Path, prefix: Path) -> list[Difference]:
    """Return what keeps users from an environment of root's, or lets them write to it.

    The first of all.

    An environment in a home is for its owner alone.
    """
    if environment.stat().st_uid != 0:
        return []
    found = (_wrong(path) for path in _parts(environment, prefix))
    return [Difference("", text) for text in found if text][:1]


def others_could_write(environment: Path, prefix: Path) -> bool:
    """Return whether another than root may have put something into an environment of root's."""
    if environment.stat().st_uid != 0:
        return False
    # uv's own lock, which it lets everybody write, is empty and is not read.
    lock = str(environment / ".lock")
    return any(
        path != lock and (status.st_uid != 0 or status.st_mode & _OTHERS_WRITE)
        for path in _parts(environment, prefix)
        for status in [os.stat(path)]  # noqa: PTH116 - ten thousand files
    )


def open_to_all(environment: Path, prefix: Path) -> None:
    """Let everybody read an environment and nobody but its owner write to it.

    Raises:
        OSError: a mode cannot be changed.
    """
    for folder in (prefix, environment.parent, prefix / _PYTHONS):
        if folder.is_dir():
            folder.chmod(_wanted(stat.S_IMODE(folder.stat().st_mode)))
    for tree in _trees(environment, prefix):
        for _, _, files, descriptor in os.fwalk(tree):
            os.fchmod(descriptor, _wanted(stat.S_IMODE(os.fstat(descriptor).st_mode)))
            for name in files:
                _open_file(name, descriptor)


def _open_file(name: str, folder: int) -> None:
    """Set the mode of a file in an open folder; of a link, or what is not a file, nothing."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode) or mode == _wanted(mode):
        return
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        if os.path.samestat(os.fstat(descriptor), status):
            os.fchmod(descriptor, _wanted(mode))
    finally:
        os.close(descriptor)


def open_way(prefix: Path) -> None:
    """Let everybody enter the folders above the environments, where they are root's.

    Raises:
        OSError: a mode cannot be changed.
    """
    for path in (prefix, prefix / _FOLDER):
        if path.stat().st_uid == 0:
            path.chmod(_wanted(stat.S_IMODE(path.stat().st_mode)))


def _parts(environment: Path, prefix: Path) -> Iterator[str]:
    """Yield the folders on the way, and all of the environment and of the Python that runs it."""
    yield from (str(prefix), str(environment.parent))
    trees = _trees(environment, prefix)
    if len(trees) > 1:
        yield str(prefix / _PYTHONS)
    for tree in trees:
        yield from _below(str(tree))


def _trees(environment: Path, prefix: Path) -> list[Path]:
    """Return the environment, and the Python that runs it unless that is the system's."""
    python = Path(os.path.realpath(environment / "bin" / "python"))
    managed = prefix / _PYTHONS
    if managed not in python.parents:
        return [environment]
    return [environment, managed / python.relative_to(managed).parts[0]]


def _below(folder: str) -> Iterator[str]:
    yield folder
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                continue
            if entry.is_dir():
                yield from _below(entry.path)
            else:
                yield entry.path


def _wanted(mode: int) -> int:
    mode = (mode | _ALL_READ) & ~_OTHERS_WRITE
    return mode | _ALL_ENTER if mode & stat.S_IXUSR else mode


def _wrong(path: str) -> str:
    status = os.stat(path)  # noqa: PTH116 - ten thousand files
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != 0:
        return f"{path} is of another user than root: others may write to it"
    if mode == _wanted(mode):
        return ""
    who = "others may write to it" if mode & _OTHERS_WRITE else "others may not use it"
    return f"{path} has the mode {mode:04o}: {who}"


def _refusal(path: Path, why: str) -> str:
    return (
        f"{path} is not of this project: {why}. It stays as it is, and nothing was changed. "
        f"Remedy: move it away, as with mv {path} {path}.mine, then run again"
    )
