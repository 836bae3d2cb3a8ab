"""Stands between the supervisor and one worker, so that nothing of the worker can stay behind.

The supervisor has the other end of a stream socket. When that end is shut, or its process dies by
whatever signal, the worker and all its descendants are killed, those in other sessions too: as a
child subreaper (prctl(2)) the reaper inherits every orphan among them.

It says three lines: its process id; the exit code of the worker, as `subprocess` counts it, once it
has ended (an empty line when it does not end); then the ids of the processes that were still there
some seconds after SIGKILL. One in an uninterruptible sleep would be.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_POLL_SECONDS = 0.05


class Family:
    """The worker and all that descends from it.

    Attributes:
        is_worker: whether this process is the worker, in which the rest means nothing.
        code: how the worker ended, None while it has not.
    """

    def __init__(self) -> None:
        """Fork the worker, as the leader of a session that dies with this process.

        Raises:
            OSError: the kernel refuses to make this process a subreaper, or its child mortal.
        """
        self.code: int | None = None
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        reaper = os.getpid()
        # A byte for each child that ends, so that `select` sees it.
        self.ends, signalled = os.pipe()
        for descriptor in (self.ends, signalled):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._worker = os.fork()
        self.is_worker = not self._worker
        if self.is_worker:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self.ends)
            os.close(signalled)
            os.setsid()
            _die_with(reaper)

    def reap(self) -> bool:
        """Take note of the children that have ended; whether others are left."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.ends, 4096)
        try:
            while ended := os.waitpid(-1, os.WNOHANG):
                pid, status = ended
                if not pid:
                    return True
                if pid == self._worker:
                    self.code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            return False
        return True

    def kill(self, patience: float) -> list[int]:
        """Kill everything, and wait for its end.

        Args:
            patience: seconds; those that this process itself was held up are not counted.

        Returns:
            Ids of the processes that are still there.
        """
        while self.reap():
            left = list(descendants(os.getpid()))
            if patience <= 0:
                return left
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            begun = time.monotonic()
            select.select([self.ends], [], [], _POLL_SECONDS)
            patience -= min(time.monotonic() - begun, _POLL_SECONDS)
        return []


def descendants(pid: int) -> Iterator[int]:
    """Children of a process and what descends from them, as far as orphans have not moved."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - the names are all
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            # The name in parentheses may hold anything; state and parent follow it (proc(5)).
            parent = int(file.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    todo = [pid]
    while todo:
        found = children.pop(todo.pop(), [])
        yield from found
        todo += found


def fork_worker(control: socket.socket, patience: float) -> None:
    """Become the reaper of a worker that is a copy of this process; return in the worker.

    The reaper waits for the worker's end or for the order, kills all of it, says what was, and
    ends without returning.

    Args:
        control: to the supervisor; closed in the worker.
        patience: seconds that the killed may take to end.

    Raises:
        OSError: see `Family`.
    """
    family = Family()
    if family.is_worker:
        control.close()
        return
    try:
        _watch(family, control, patience)
    finally:
        # What a process does at its end is the worker's.
        os._exit(0)


def _watch(family: Family, control: socket.socket, patience: float) -> None:
    _say(control, str(os.getpid()))
    ordered = False
    while family.code is None and not ordered:
        ready, _, _ = select.select([control.fileno(), family.ends], [], [])
        ordered = control.fileno() in ready
        family.reap()
    early = family.code
    if early is not None:
        # At once: what follows may take long, and the supervisor waits to name the crash.
        _say(control, str(early))
    left = family.kill(patience)
    if early is None:
        _say(control, "" if family.code is None else str(family.code))
    _say(control, " ".join(map(str, left)))


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, even by SIGKILL.

    A process that has one thread only, as prctl(2) means the thread.

    Raises:
        OSError: the kernel refuses.
        SystemExit: the parent is dead already.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the reaper is dead")


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def _say(control: socket.socket, line: str) -> None:
    # A supervisor that is dead does not want to know.
    with contextlib.suppress(OSError):
        control.sendall(line.encode() + b"\n")
