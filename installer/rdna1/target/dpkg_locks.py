"""Waits for the locks of dpkg and apt, whoever holds them and whatever the tools print.

apt waits for the lock of its frontends alone, and dpkg for none: a dpkg that outlives a killed
apt-get holds another lock, for which the next apt-get fails. So every step waits for all of them
here, and names who holds one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional, Sequence

from .credentials import text_without_credentials
from .folders import make_folders

FRONTEND, DATABASE = "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"
LOCKS = (FRONTEND, DATABASE, "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock")
# For dpkg, whose caller holds the lock of the frontends.
FRONTEND_LOCKED = {"DPKG_FRONTEND_LOCKED": "true"}
_POLL_SECONDS = 0.2
_LONGEST_COMMAND = 200
# struct flock of fcntl(2) on 64 bits: type, whence, start, length, process.
_FLOCK = "hhqqi4x"


class Holder(NamedTuple):
    """Who holds a lock.

    Attributes:
        file: the lock.
        pid: of the process; 0 for one that this process cannot see, outside a container.
        command: of the process.
    """

    file: str
    pid: int
    command: str

    def __str__(self) -> str:
        """Return the holder in words."""
        return f"process {self.pid} ({self.command}) holds {self.file}"


class LockedError(Exception):
    """A lock was held too long; the message names the holder and the remedy."""


Tell = Callable[[Holder], None]


def holder_of(path: str) -> Optional[Holder]:  # noqa: UP045 - Python 3.8
    """Return who holds a lock; None where nobody does or there is no such file.

    Raises:
        OSError: the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else Holder(path, max(pid, 0), _command(pid))


def first_holder(files: Sequence[str] = LOCKS) -> Optional[Holder]:  # noqa: UP045 - Python 3.8
    """Return the holder of the first of some locks that is held, or None.

    Raises:
        OSError: a file cannot be opened.
    """
    return next((found for found in map(holder_of, files) if found is not None), None)


def wait_until_free(
    timeout: float, tell: Tell = lambda _: None, files: Sequence[str] = LOCKS
) -> bool:
    """Wait until nobody holds one of some locks.

    Args:
        timeout: how many seconds at most.
        tell: is called with each holder that is waited for, once.
        files: the locks.

    Returns:
        Whether there was anybody to wait for.

    Raises:
        LockedError: a lock is still held.
        OSError: a file cannot be opened.
    """
    deadline = time.monotonic() + timeout
    told: Optional[Holder] = None  # noqa: UP045 - Python 3.8
    while True:
        found = first_holder(files)
        if found is None:
            return told is not None
        if found != told:
            tell(found)
            told = found
        _sleep_or_raise(deadline, timeout, found)


@contextlib.contextmanager
def dpkg_locked(
    timeout: float, tell: Tell = lambda _: None, files: Sequence[str] = (FRONTEND, DATABASE)
) -> Iterator[None]:
    """Hold the lock of dpkg's frontends, once no dpkg is at work.

    A dpkg that is started meanwhile needs `FRONTEND_LOCKED` in its environment.

    Args:
        timeout: how many seconds to wait at most.
        tell: is called with each holder that is waited for.
        files: the lock of the frontends, and those that have to be free.

    Raises:
        LockedError: a lock is still held.
        OSError: a file cannot be opened.
    """
    deadline = time.monotonic() + timeout
    make_folders(Path(files[0]).parent)
    # A lock of this process, whom others can name. It ends when anything here closes the file.
    descriptor = os.open(files[0], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        while True:
            wait_until_free(max(deadline - time.monotonic(), 0), tell, files)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                continue
            # A dpkg that was called without the first lock may have taken the others meanwhile.
            if first_holder(files[1:]) is None:
                break
            fcntl.lockf(descriptor, fcntl.LOCK_UN)
        yield
    finally:
        os.close(descriptor)


def _sleep_or_raise(deadline: float, timeout: float, found: Holder) -> None:
    if time.monotonic() >= deadline:
        raise LockedError(
            f"{found}, and still did after {timeout:.0f} seconds. Remedy: wait until it ends, or "
            "end it if it hangs; then run again. Do not delete the lock"
        )
    time.sleep(_POLL_SECONDS)


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().split()
    except (OSError, ValueError):
        words = []
    return text_without_credentials(" ".join(words))[:_LONGEST_COMMAND] or "an unknown process"
