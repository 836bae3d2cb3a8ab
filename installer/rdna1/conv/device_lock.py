"""One run at a time on one device."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rdna1.conv.result import UnusableDeviceError

# Where every user may make a file and nobody can replace another's; Fedora keeps /run/lock to
# root. A user's own folder is the last resort, as it does not keep two users apart.
_FOLDERS = ("/run/lock", "/tmp", "/dev/shm")  # noqa: S108 - shared and sticky is the point

_POLL_SECONDS = 0.2

_MAX_HOLDER_BYTES = 200


class DeviceBusyError(UnusableDeviceError):
    """Another run has the device."""


class DeviceLock:
    """An flock(2) on a file named after the device.

    The kernel ends the lock with the process that has it, so there are no stale ones; the file
    stays. It is open to all users, as flock asks for no more than being able to open it, and
    says who holds it, for people only.

    Args:
        identity: of the device, see `rdna1.conv.device_identity`.
        folder: of the file; None takes the first shared folder of this machine.
    """

    def __init__(self, identity: str, folder: Path | None = None) -> None:
        """Choose the file."""
        self._identity = identity
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", identity)[-60:].strip("-.")
        digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
        self.path = (folder or lock_folder()) / f"rdna1-{readable}-{digest}.lock"
        self._descriptor: int | None = None

    def acquire(self, wait: float, on_wait: Callable[[str], None]) -> None:
        """Take the lock.

        Args:
            wait: seconds to wait for it.
            on_wait: told who has it, once for each holder.

        Raises:
            DeviceBusyError: it was not free in time, or the file cannot be used.
        """
        deadline = time.monotonic() + wait
        told = None
        while not self._try():
            holder = f"{self._identity} is in use by {self._holder()}"
            if time.monotonic() >= deadline:
                raise DeviceBusyError(
                    f"{holder} (lock {self.path}); wait for it, or longer than {wait:g} s"
                )
            if holder != told:
                on_wait(f"{holder}; waiting up to {wait:g} s")
                told = holder
            time.sleep(_POLL_SECONDS)

    def release(self) -> None:
        """Give the lock up, if it is held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self) -> bool:
        try:
            descriptor = _open(self.path)
            with contextlib.ExitStack() as undo:
                undo.callback(os.close, descriptor)
                _refuse_unless_plain(descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Something that cleans the folder may have removed the file meanwhile.
                if not os.path.samestat(os.fstat(descriptor), self.path.stat()):
                    return False
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _description(), 0)
                undo.pop_all()
        except (BlockingIOError, FileNotFoundError):
            return False
        except OSError as error:
            raise DeviceBusyError(
                f"{self.path} cannot serve as the lock of {self._identity}: {error.strerror}; "
                "remove it"
            ) from error
        self._descriptor = descriptor
        return True

    def _holder(self) -> str:
        """Who says to hold the lock; anybody can write that, so it may be nonsense."""
        text = ""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:  # noqa: PTH123 - an open descriptor
                text = file.read(_MAX_HOLDER_BYTES).decode(errors="replace")
        printable = "".join(character for character in text if character.isprintable())
        return printable or "a process that has not said which"


def lock_folder(candidates: Iterable[str] = _FOLDERS) -> Path:
    """The first folder that all users share, else the user's own.

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
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BlockingIOError from error
    # Whatever the umask: another user's run must be able to open it.
    os.fchmod(descriptor, 0o666)
    return descriptor


def _refuse_unless_plain(descriptor: int) -> None:
    """Refuse to write to what somebody has put in the file's place."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise OSError(errno.EINVAL, "not a plain file with one name")


def _description() -> bytes:
    program = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return f"process {os.getpid()} ({program})".encode()[:_MAX_HOLDER_BYTES]
