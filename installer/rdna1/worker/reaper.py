"""Stands between the supervisor and one worker, so that nothing of the worker can stay behind.

Run by its path, ``python -I -S warden.py CONTROL PATIENCE PROGRAM [ARGUMENT ...]``; every start
of a worker waits for it, so it imports little. ``CONTROL`` is the descriptor of a stream socket
whose other end only the supervisor has. When that end is shut, or its process dies by whatever
signal, the worker and all its descendants are killed, those in other sessions too: as a child
subreaper (prctl(2)) the warden inherits every orphan among them.

It says two lines: the exit code of the worker, as `subprocess` counts it, once it has ended
(an empty line when it does not end); then the ids of the processes that were still there
``PATIENCE`` seconds after SIGKILL. One in an uninterruptible sleep would be.
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

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_POLL_SECONDS = 0.05


class Family:
    """The worker and all that descends from it.

    Args:
        command: program and arguments; ``--supervisor PID`` is added.

    Attributes:
        code: how the worker ended, None while it has not.
    """

    def __init__(self, command: list[str]) -> None:
        """Start the worker as the leader of a session."""
        self.code: int | None = None
        # A byte for each child that ends, so that `select` sees it.
        self.ends, signalled = os.pipe()
        for descriptor in (self.ends, signalled):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        arguments = [*command, "--supervisor", str(os.getpid())]
        self._worker = os.fork()
        if not self._worker:
            os.setsid()
            # Python ignores these two, and what is ignored stays so in a new program.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            os.execv(arguments[0], arguments)  # noqa: S606 - the supervisor's own program
        # The worker's pipes are the worker's.
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)

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
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - pathlib is slow to import
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            # The name in parentheses may hold anything; state and parent follow it (proc(5)).
            parent = int(file.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    todo = [pid]
    while todo:
        found = children.pop(todo.pop(), [])
        yield from found
        todo += found


def main(arguments: list[str]) -> None:
    """Start the worker, wait for its end or for the order, kill all of it, say what was.

    Args:
        arguments: as the module describes.

    Raises:
        OSError: the kernel refuses to make this process a subreaper.
    """
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    family = Family(arguments[2:])
    ordered = False
    while family.code is None and not ordered:
        ready, _, _ = select.select([control.fileno(), family.ends], [], [])
        ordered = control.fileno() in ready
        family.reap()
    early = family.code
    if early is not None:
        # At once: what follows may take long, and the supervisor waits to name the crash.
        _say(control, str(early))
    left = family.kill(float(arguments[1]))
    if early is None:
        _say(control, "" if family.code is None else str(family.code))
    _say(control, " ".join(map(str, left)))


def _say(control: socket.socket, line: str) -> None:
    # A supervisor that is dead does not want to know.
    with contextlib.suppress(OSError):
        control.sendall(line.encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
