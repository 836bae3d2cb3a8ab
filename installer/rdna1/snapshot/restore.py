"""Puts files and groups back."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple

from .files import Entry, read_entry, same
from .rights import rights_of
from .rollback import FileChange, is_moved_folder
from .watch import BACKUP

# What the owner changed after a run is kept under this name; no program reads files so named.
_KEPT = ".rdna1-kept"


class Restored(NamedTuple):
    """What was done, and what was left as it is, in words."""

    done: list[str]
    left: list[str]


def restore_files(changes: list[FileChange], *, dry_run: bool) -> Restored:
    """Put back what the runs changed.

    A file that its owner changed after the runs is kept beside, as ``NAME.rdna1-kept``. In
    homes everything is done with the rights of the home's owner, whose links could lead
    anywhere.

    Args:
        changes: see `rdna1.snapshot.rollback.Plan`.
        dry_run: say what would be done, do nothing.
    """
    result = Restored([], [])
    of_packages = _of_packages([c.path for c in changes if c.before is None])
    # Moved folders first: their old place is one of the changes, too. What goes, goes from
    # the inside out; what comes back, from the outside in.
    moved = [change for change in changes if is_moved_folder(change)]
    going = [c for c in reversed(changes) if c.before is None and c not in moved]
    coming = [change for change in changes if change.before is not None]
    returned = {_origin(change.path) for change in moved}
    for change in [*moved, *going, *coming]:
        if change.path in of_packages or (dry_run and change.path in returned):
            continue
        step = _return_folder if is_moved_folder(change) else _restore
        try:
            with rights_of(change.path):
                step(change, result, dry_run)
        except OSError as error:
            result.left.append(f"{change.path}: {error.strerror or error}")
    return result


def restore_groups(
    members: list[tuple[str, str]],
    groups: list[str],
    run: Callable[[list[str]], str | None],
    *,
    dry_run: bool,
) -> Restored:
    """Take users out of groups, and remove groups that nobody is in.

    Args:
        members: group and user.
        groups: to be removed.
        run: runs a program; returns what it complains about, or None.
        dry_run: say what would be done, do nothing.
    """
    result = Restored([], [])
    commands = [
        (f"take {user} out of the group {group}", ["gpasswd", "--delete", user, group])
        for group, user in members
    ]
    commands += [(f"remove the group {group}", ["groupdel", group]) for group in groups]
    for title, command in commands:
        error = None if dry_run else run(command)
        if error is None:
            result.done.append(title)
        else:
            result.left.append(f"{title}: {error}")
    return result


def _return_folder(change: FileChange, result: Restored, dry_run: bool) -> None:
    """Move a folder back to where a run took it from."""
    origin = _origin(change.path)
    if not Path(change.path).is_dir():
        return
    result.done.append(f"move {change.path} back to {origin}")
    if dry_run:
        return
    if os.path.lexists(origin):
        _keep(origin, result)
    os.rename(change.path, origin)  # noqa: PTH104 - must fail where something is in the way


def _restore(change: FileChange, result: Restored, dry_run: bool) -> None:
    path, before, after = change.path, change.before, change.after
    whole = bool((before or after or {}).get("whole", True))
    now = read_entry(path, whole=whole)
    if same(now, before):
        return
    if not change.ours:
        result.left.append(f"{path}: came during an interrupted run, perhaps by your hand")
        return
    if before is not None and before["kind"] != "folder" and not _can_come_back(before):
        result.left.append(f"{path}: too large to have been written down")
        return
    if before is not None and before["kind"] == "folder" and now is None and before["whole"]:
        result.left.append(f"{path}: this folder is gone; site.yml makes it again")
        return
    if before is None and now is not None and now["kind"] == "folder" and not now["whole"]:
        _remove_empty(path, result, dry_run)
        return
    result.done.append(f"{'remove' if before is None else 'put back'} {path}")
    if dry_run:
        return
    if now is not None and not same(now, after) and now["kind"] != "folder":
        _keep(path, result)
        now = None
    if before is None:
        _remove(path)
    else:
        _put_back(path, before, now)


def _can_come_back(entry: Entry) -> bool:
    return entry["kind"] == "link" or "content" in entry


def _remove_empty(path: str, result: Restored, dry_run: bool) -> None:
    """Remove a folder that the runs made, unless somebody put something into it."""
    rest = sorted(os.listdir(path))  # noqa: PTH208 - names, not paths
    # Before anything is done, it still holds what is going to be removed.
    if rest and dry_run:
        return
    if rest:
        result.left.append(f"{path}: holds {', '.join(rest)}, not of this project")
        return
    result.done.append(f"remove {path}")
    if not dry_run:
        os.rmdir(path)  # noqa: PTH106


def _remove(path: str) -> None:
    if Path(path).is_dir() and not Path(path).is_symlink():
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108


def _keep(path: str, result: Restored) -> None:
    names = itertools.chain([path + _KEPT], (f"{path}{_KEPT}.{n}" for n in itertools.count(2)))
    kept = next(name for name in names if not os.path.lexists(name))
    os.rename(path, kept)  # noqa: PTH104
    result.left.append(f"{path}: changed since, so your state of it is now {kept}")


def _put_back(path: str, entry: Entry, now: Entry | None) -> None:
    if entry["kind"] == "folder":
        if now is None:
            os.mkdir(path)  # noqa: PTH102
        _own(path, entry)
        return
    if now is not None and now["kind"] == "folder":
        shutil.rmtree(path)
    folder, _, name = path.rpartition("/")
    draft = f"{folder}/.{name}.{os.getpid()}"
    try:
        if entry["kind"] == "link":
            os.symlink(entry["target"], draft)  # noqa: PTH211 - Python 3.8
            os.lchown(draft, entry["uid"], entry["gid"])
        else:
            _write(draft, entry)
        os.replace(draft, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)  # noqa: PTH108
        raise


def _write(draft: str, entry: Entry) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as stream:
        stream.write(base64.b64decode(entry["content"]))
        stream.flush()
        os.fsync(stream.fileno())
    _own(draft, entry)
    os.utime(draft, ns=(entry["modified_ns"], entry["modified_ns"]))


def _own(path: str, entry: Entry) -> None:
    status = os.lstat(path)
    if (status.st_uid, status.st_gid) != (entry["uid"], entry["gid"]):
        os.chown(path, entry["uid"], entry["gid"])
    os.chmod(path, int(entry["mode"], 8))  # noqa: PTH101


def _origin(path: str) -> str:
    return path.partition(BACKUP)[0]


def _of_packages(paths: list[str]) -> set[str]:
    """Those of the paths that belong to an installed package."""
    if not paths:
        return set()
    # dpkg-query fails as soon as one path belongs to no package, and lists the others.
    done = subprocess.run(  # noqa: S603 - an argument list without a shell
        ["dpkg-query", "--search", *paths],  # noqa: S607 - found as dpkg's own scripts find it
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
    return {line.partition(": ")[2] for line in lines} & set(paths)
