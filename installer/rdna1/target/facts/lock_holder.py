"""Who holds the locks of dpkg and apt."""

from __future__ import annotations

import os

from ..credentials import text_without_credentials
from ..dpkg_locks import LOCKS
from ..rootfs import MissingError, RootFs, UnreadableError

_LONGEST_COMMAND = 200


def lock_holder(rootfs: RootFs, files: tuple[str, ...] = LOCKS) -> dict[str, object] | None:
    """Return ``pid`` and ``command`` of the process that holds a lock, or None.

    ``pid`` is 0 for a process that this one cannot see, outside a container for example.

    Args:
        rootfs: of the machine.
        files: the lock files.

    Raises:
        UnreadableError: under another root, or the kernel does not list locks.
    """
    if not rootfs.live:
        raise UnreadableError("locks belong to a running machine")
    held = dict(filter(None, map(_held, rootfs.text("/proc/locks").splitlines())))
    for path in files:
        try:
            status = rootfs.status(path)
        except MissingError:
            continue
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        pid = held.get(f"{device}:{status.st_ino}")
        if pid is not None:
            return {"pid": pid, "command": _command(rootfs, pid)}
    return None


def _held(line: str) -> tuple[str, int] | None:
    """Return file (``major:minor:inode``) and process of one line; None for a waiting process.

    A line reads ``1: POSIX  ADVISORY  WRITE 1234 08:01:393 0 EOF`` (proc_locks(5)).
    """
    fields = line.split()
    if len(fields) < 6 or fields[1] == "->" or fields[3] != "WRITE":
        return None
    return fields[5], max(int(fields[4]), 0)


def _command(rootfs: RootFs, pid: int) -> str:
    try:
        words = rootfs.text(f"/proc/{pid}/cmdline").replace("\0", " ").split()
    except UnreadableError:
        return "an unknown process"
    return text_without_credentials(" ".join(words))[:_LONGEST_COMMAND]
