"""What of the places of an environment is this project's, and who may use it.

Only what bears the marker of a whole environment, or lies where environments are built, is this
project's to move and to remove. Modes are set and compared, not inherited: under the umask of
somebody's login, sudo or controller an environment would be closed to others, or open to writing.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Iterator

from ..host.reader import Reader, UnreadableError
from .contents import Difference, marker

_FOLDER = "environments"
_ALL_READ, _ALL_ENTER, _OTHERS_WRITE = 0o044, 0o011, 0o022


def foreign(prefix: Path, stack: str) -> str:
    """Why the place of a stack's environment is somebody else's, with the remedy; empty if not."""
    link = prefix / stack
    for folder in (prefix, prefix / _FOLDER):
        if os.path.lexists(folder) and not folder.is_dir():
            return _refusal(folder, "it is not a folder")
    if not os.path.lexists(link):
        return ""
    if link.is_symlink():
        target = Path(os.path.join(prefix, os.readlink(link)))  # noqa: PTH118 - as it is written
        if not target.exists() or target.parent == prefix / _FOLDER or is_own(target):
            return ""
        return _refusal(link, f"it names {target}, which rdna1 did not build")
    return "" if is_own(link) else _refusal(link, "rdna1 did not build it")


def is_own(folder: Path) -> bool:
    """Whether a folder is an environment that this project built, of any release."""
    # Releases before the marker put this project into it as well.
    try:
        if marker(Reader(), str(folder)):
            return True
    except UnreadableError:
        pass
    return any(folder.glob("lib/python3*/site-packages/rdna1-*.dist-info"))


def closed(environment: Path, prefix: Path) -> list[Difference]:
    """What keeps users from an environment of root's, or lets them write to it; the first of all.

    An environment in a home is for its owner alone.
    """
    if environment.stat().st_uid != 0:
        return []
    found = (_wrong(path) for path in _parts(environment, prefix))
    return [Difference("", text) for text in found if text][:1]


def open_to_all(environment: Path, prefix: Path) -> None:
    """Let everybody read an environment and nobody but its owner write to it.

    Raises:
        OSError: a mode cannot be changed.
    """
    for path in _parts(environment, prefix):
        mode = _mode(path)
        wanted = _wanted(mode)
        if mode != wanted:
            os.chmod(path, wanted)  # noqa: PTH101 - ten thousand files


def open_way(prefix: Path) -> None:
    """Let everybody enter the folders above the environments, where they are root's.

    Raises:
        OSError: a mode cannot be changed.
    """
    for path in (prefix, prefix / _FOLDER):
        if path.stat().st_uid == 0:
            path.chmod(_wanted(_mode(str(path))))


def _parts(environment: Path, prefix: Path) -> Iterator[str]:
    """The folders on the way, and all of the environment and of the Python that runs it."""
    yield from (str(prefix), str(environment.parent))
    yield from _below(str(environment))
    python = Path(os.path.realpath(environment / "bin" / "python"))
    # One of the system's is not ours.
    managed = prefix / "python"
    if managed in python.parents:
        yield str(managed)
        yield from _below(str(managed / python.relative_to(managed).parts[0]))


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


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116 - ten thousand files


def _wanted(mode: int) -> int:
    mode = (mode | _ALL_READ) & ~_OTHERS_WRITE
    return mode | _ALL_ENTER if mode & stat.S_IXUSR else mode


def _wrong(path: str) -> str:
    mode = _mode(path)
    if mode == _wanted(mode):
        return ""
    who = "others may write to it" if mode & _OTHERS_WRITE else "others may not use it"
    return f"{path} has the mode {mode:04o}: {who}"


def _refusal(path: Path, why: str) -> str:
    return (
        f"{path} is not of this project: {why}. It stays as it is, and nothing was changed. "
        f"Remedy: move it away, as with mv {path} {path}.mine, then run again"
    )
