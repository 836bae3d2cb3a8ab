"""One run at a time on one device."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from rdna1.conv.result import UnusableDeviceError
from rdna1.target.exclusive_lock import (
    describe_holder,
    holding_process,
    lock_file,
    open_lock_file,
    process_user,
    try_lock,
)

# Where every user may make a file and nobody can replace another's; Fedora keeps /run/lock to
# root. A user's own folder is the last resort, as it does not keep two users apart.
_FOLDERS = ("/run/lock", "/tmp", "/dev/shm")  # noqa: S108 - shared and sticky is the point

_POLL_SECONDS = 0.2


class DeviceBusyError(UnusableDeviceError):
    """Another run has the device."""


class _Holder(NamedTuple):
    """Who has the lock: in words, and the id of the user where it is known."""

    description: str
    user: int | None


# Made or removed the file at the same moment.
_SOMEBODY = _Holder("a run that is just starting or ending", None)


class DeviceLock:
    """An flock(2) on a file named after the device.

    The kernel ends the lock with the process that has it, so there are no stale ones; the file
    stays. It is open to all users, as several may use one card, and flock asks for no more than
    being able to open it. So any user can hold it: root has a lock of its own besides, which keeps
    two runs of root apart, and waits for the one of ordinary users only as long as it was told.

    Args:
        identity: of the device, see `rdna1.worker.device_identity`.
        folder: of the file; None takes the first shared folder of this machine.
    """

    def __init__(self, identity: str, folder: Path | None = None) -> None:
        """Choose the file."""
        self._identity = identity
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", identity)[-60:].strip("-.")
        digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
        self.path = (folder or lock_folder()) / f"rdna1-{readable}-{digest}.lock"
        self._own: int | None = None
        self._shared: int | None = None

    def acquire(self, wait: float, on_wait: Callable[[str], None]) -> None:
        """Take the lock.

        Args:
            wait: seconds to wait for it. After them root goes on where an ordinary user has it.
            on_wait: told who has it, once for each holder, and that root goes on.

        Raises:
            DeviceBusyError: it was not free in time, or the file cannot be used.
        """
        deadline = time.monotonic() + wait
        told = None
        while (holder := self._try()) is not None:
            busy = f"{self._identity} is in use by {holder.description}"
            if time.monotonic() >= deadline:
                if self._own is not None and holder.user != 0:
                    on_wait(f"{busy}; root goes on all the same, the two may disturb one another")
                    return
                self.release()
                raise DeviceBusyError(
                    f"{busy} (lock {self.path}); wait for it, or longer than {wait:g} s"
                )
            if busy != told:
                on_wait(f"{busy}; waiting up to {wait:g} s")
                told = busy
            time.sleep(_POLL_SECONDS)

    def release(self) -> None:
        """Give the lock up, if it is held."""
        for descriptor in filter(None, (self._own, self._shared)):
            os.close(descriptor)
        self._own = self._shared = None

    def _try(self) -> _Holder | None:
        """Take what is free; who has the rest."""
        if os.geteuid() == 0 and self._own is None:
            descriptor = open_lock_file(lock_file(self.path))
            if holder := _taken(descriptor):
                return holder
            self._own = descriptor
        return self._try_shared()

    def _try_shared(self) -> _Holder | None:
        try:
            descriptor = _open(self.path)
            with contextlib.ExitStack() as undo:
                undo.callback(os.close, descriptor)
                _refuse_unless_plain(descriptor)
                undo.pop_all()
            if holder := _taken(descriptor):
                return holder
            # Something that cleans the folder may have removed the file meanwhile.
            if not os.path.samestat(os.fstat(descriptor), self.path.stat()):
                os.close(descriptor)
                return _SOMEBODY
        except (FileExistsError, FileNotFoundError):
            return _SOMEBODY
        except OSError as error:
            return self._in_the_way(error)
        self._shared = descriptor
        return None

    def _in_the_way(self, error: OSError) -> _Holder:
        """Return who put something else in the file's place, for root, which goes on without it.

        Raises:
            DeviceBusyError: for other users, or where root itself has put it there.
        """
        with contextlib.suppress(OSError):
            owner = self.path.lstat().st_uid
            if self._own is not None and owner != 0:
                return _Holder(f"user {owner}, whose {self.path} is no file for a lock", owner)
        self.release()
        raise DeviceBusyError(
            f"{self.path} cannot serve as the lock of {self._identity}: {error.strerror}; remove it"
        ) from error


def _taken(descriptor: int) -> _Holder | None:
    """Take the lock on an open file; who has it, and the file closed, where that fails."""
    if try_lock(descriptor):
        return None
    process = holding_process(descriptor)
    described = _Holder(
        describe_holder(descriptor), None if process is None else process_user(process)
    )
    os.close(descriptor)
    return described


def lock_folder(candidates: Iterable[str] = _FOLDERS) -> Path:
    """Return the first folder that all users share, else the user's own.

    Args:
        candidates: in order of preference.

    Raises:
        DeviceBusyError: there is none.
    """
    for candidate in [*candidates, os.environ.get("XDG_RUNTIME_DIR", "")]:
        folder = Path(candidate)
        if not candidate or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            continue
        status = folder.stat()
        shared = status.st_mode & stat.S_IWOTH and status.st_mode & stat.S_ISVTX
        if shared or status.st_uid == os.geteuid():
            return folder
    raise DeviceBusyError("no folder for a lock: set XDG_RUNTIME_DIR to a folder of your own")


def _open(path: Path) -> int:
    """Open the file, made if need be; never through a link, never waiting on a pipe.

    First without O_CREAT: in a sticky folder the kernel refuses it for a file of another user
    (fs.protected_regular).
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags)
    descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    # Whatever the umask: another user's run must be able to open it.
    os.fchmod(descriptor, 0o666)
    return descriptor


def _refuse_unless_plain(descriptor: int) -> None:
    """Refuse to write to what somebody has put in the file's place."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise OSError(errno.EINVAL, "not a plain file with one name")
