"""One process at a time: the one helper for locks on files.

A lock of flock(2) can be taken by whoever can open the file, for reading too. So a lock file is
its user's own: mode 0600, in a folder in which nobody else can make or replace files. The kernel
ends a lock with the processes that have it, so there are no stale ones; the files stay.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError
from .credentials import text_without_credentials
from .printable import printable

WAIT_SECONDS = 600.0
_POLL_SECONDS = 0.2
# Of a command in a message.
_MOST_WORDS, _MOST_LETTERS = 2, 40
_PRIVATE = 0o600
_OTHERS = 0o077
_OTHERS_WRITE = 0o022


class ExclusiveLockError(InputError):
    """The lock was not free in time, or its file cannot be used; one line with the remedy."""


@contextmanager
def exclusive_lock(path: Path, wait: float = WAIT_SECONDS) -> Iterator[int]:
    """Wait until no other process holds the lock, and hold it.

    Args:
        path: of the lock file, made where it is missing, in a folder of this user's.
        wait: seconds to wait.

    Yields:
        The open file: a process that inherits it holds the lock as well.

    Raises:
        ExclusiveLockError: it was not free in time (the message names the holder), or is not this
            user's alone.
    """
    descriptor = _acquire(path, wait)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lock_file(subject: Path) -> Path:
    """Return a lock file of this user's own for something that others may see or share.

    It is in ``/run/rdna1`` for root. Other users have it in their runtime folder, and without one
    (no session) in their home.

    Raises:
        ExclusiveLockError: there is no such folder, or it is not this user's alone.
    """
    resolved = subject.resolve()
    digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", resolved.name)[-40:].strip("-.")
    return _own_folder() / f"{readable}-{digest}.lock"


def open_lock_file(path: Path) -> int:
    """Open a lock file, made if need be, that nobody else can open or replace.

    Raises:
        ExclusiveLockError: others could.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _check_folder(os.fstat(folder), path.parent)
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(path.name, flags, _PRIVATE, dir_fd=folder)
            if _is_private(descriptor, path):
                return descriptor
            # Of an earlier release: others may have it open, and hold it.
            os.close(descriptor)
            os.unlink(path.name, dir_fd=folder)
    except OSError as error:
        raise ExclusiveLockError(
            f"{printable(str(path))} cannot be used as a lock: {error.strerror}. Remedy: remove it"
        ) from error
    finally:
        os.close(folder)


def try_lock(descriptor: int) -> bool:
    """Take the lock on an open file or folder, unless somebody else has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def describe_holder(descriptor: int) -> str:
    """Name who holds the lock on an open file, as the kernel tells it: process, command, user."""
    process = holding_process(descriptor)
    if process is None:
        return "a process that cannot be seen from here"
    return _described(process)


def holding_process(descriptor: int) -> int | None:
    """Return the id of the process that took the lock on an open file; None where it is hidden."""
    status = os.fstat(descriptor)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    by_inode = None
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            # As in "3: FLOCK  ADVISORY  WRITE 4711 00:19:1234 0 EOF"; waiting ones have a "->".
            words = line.split()
            if len(words) < 6 or words[1] != "FLOCK":
                continue
            if words[5] == place:
                return int(words[4])
            # Some file systems show programs another device number than the kernel's own.
            if words[5].rpartition(":")[2] == str(status.st_ino):
                by_inode = int(words[4])
    return by_inode


def process_user(process: int) -> int | None:
    """Return the id of the user that a process runs as; None where it has ended."""
    try:
        return os.stat(f"/proc/{process}").st_uid  # noqa: PTH116 - no object is needed
    except OSError:
        return None


def _described(process: int) -> str:
    user, words = process_user(process), [""]
    with suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    if user is None or not words[0]:
        return f"a program that process {process} started before it ended"
    # Not all of them: options may hold passwords.
    shown = map(text_without_credentials, words[:_MOST_WORDS])
    names = [os.path.basename(word)[:_MOST_LETTERS] for word in shown]  # noqa: PTH119
    return printable(f"process {process} ({' '.join(filter(None, names))}) of {_name(user)}")


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _acquire(path: Path, wait: float) -> int:
    deadline = time.monotonic() + wait
    while True:
        descriptor = open_lock_file(path)
        while not try_lock(descriptor):
            if time.monotonic() >= deadline:
                by = describe_holder(descriptor)
                os.close(descriptor)
                raise ExclusiveLockError(
                    f"another run is at work: {by} holds {printable(str(path))}, "
                    f"waited {wait:g} s. Remedy: wait until it has ended, then run again"
                )
            time.sleep(_POLL_SECONDS)
        if _is_in_place(descriptor, path):
            return descriptor
        # Something that cleans the folder has removed it meanwhile.
        os.close(descriptor)


def _is_in_place(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _check_folder(status: os.stat_result, folder: Path) -> None:
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & _OTHERS_WRITE:
        raise ExclusiveLockError(
            f"{printable(str(folder))} is not a place for a lock: other users can write to it. "
            f"Remedy: give it to {_name(os.geteuid())} alone (chown, chmod go-w)"
        )


def _is_private(descriptor: int, path: Path) -> bool:
    """Return whether nobody else can open a file, which is this user's own."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
        os.close(descriptor)
        raise ExclusiveLockError(
            f"{printable(str(path))} cannot be used as a lock: it is not a plain file of "
            f"{_name(os.geteuid())}. Remedy: remove it"
        )
    return not status.st_mode & _OTHERS


def _own_folder() -> Path:
    """Return the folder for lock files, made if need be, for this user alone."""
    user = os.geteuid()
    folder = Path("/run/rdna1") if user == 0 else _home_folder(user)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != user:
            raise ExclusiveLockError(f"{folder} is not {_name(user)}'s folder. Remedy: remove it")
        if status.st_mode & _OTHERS:
            folder.chmod(0o700)
    except OSError as error:
        raise ExclusiveLockError(
            f"{folder} cannot be used for locks: {error.strerror}. Remedy: make it a folder of "
            f"{_name(user)}"
        ) from error
    return folder


def _home_folder(user: int) -> Path:
    """Return a user's place for locks, the same in each of the user's sessions."""
    session = Path(f"/run/user/{user}")
    with suppress(OSError):
        if session.stat().st_uid == user:
            return session / "rdna1"
    try:
        return Path(pwd.getpwuid(user).pw_dir) / ".cache" / "rdna1"
    except KeyError as error:
        raise ExclusiveLockError(f"there is no user {user}, so no folder for a lock") from error
