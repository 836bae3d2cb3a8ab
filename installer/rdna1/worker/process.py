"""A worker process from outside: start it, talk to it under a deadline, get rid of it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

from rdna1.worker import reaper
from rdna1.worker.given_time import SLICE_SECONDS, GivenTime

# The last words of a process; a flood of them is cut from the front.
_STDERR_BYTES = 2048

# An answer has a few hundred bytes.
_ANSWER_BYTES = 65536

# What the warden may need beyond the time that it waits for the killed.
_WARDEN_SECONDS = 10.0

_CHUNK = 65536


class DeadlineError(Exception):
    """The worker has not answered in time."""


class DeathError(Exception):
    """The worker has ended without an answer."""


class Ending(NamedTuple):
    """What became of a worker.

    Attributes:
        code: exit code as `subprocess` counts it, None when it has not ended.
        left: ids of its processes that even SIGKILL has not ended.
    """

    code: int | None
    left: tuple[int, ...]


class Worker:
    """A process, its descendants, and the warden that kills them (see `rdna1.worker.reaper`).

    They end with this object and with this process, whatever ends it: each of these closes the
    socket that the warden listens to. So a worker may be started from any thread.

    Args:
        command: program with its full path, and arguments; ``--supervisor PID`` is added.
        folder: where it runs.
        environment: all variables it gets.
        patience: seconds that the killed may take to end.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        patience: float,
    ) -> None:
        """Start the processes."""
        self._patience = patience
        self._control, control = socket.socketpair()
        with control:
            self._warden = subprocess.Popen(  # noqa: S603 - our own program, as a list
                [
                    *(sys.executable, "-I", "-S", reaper.__file__),
                    *(str(control.fileno()), str(patience), *command),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # Out of reach of a terminal's Ctrl-C.
                start_new_session=True,
                pass_fds=[control.fileno()],
                cwd=folder,
                env=environment,
            )
        self._requests, answers, stderr = (
            cast("IO[bytes]", pipe)
            for pipe in (self._warden.stdin, self._warden.stdout, self._warden.stderr)
        )
        self._answers = bytearray()
        self._stderr = bytearray()
        self._report = bytearray()
        self._silent = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(answers, selectors.EVENT_READ, self._answers)
        self._selector.register(stderr, selectors.EVENT_READ, self._stderr)
        self._selector.register(self._control, selectors.EVENT_READ, self._report)

    @property
    def pid(self) -> int:
        """Id of the warden, from which all processes of the worker descend."""
        return self._warden.pid

    @property
    def last_words(self) -> str:
        """What the process wrote last to its standard error since the last request."""
        return self._stderr.decode(errors="replace").strip()

    def send(self, line: bytes) -> None:
        """Send a request of one line; if the process has ended, `receive` will say so."""
        self._pump(0)
        self._stderr.clear()
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(line)

    def receive(self, deadline: float) -> bytes:
        """Wait for one line, and read standard error meanwhile so that nobody blocks on it.

        Args:
            deadline: as `time.monotonic` counts.

        Returns:
            The line; more bytes than any answer has, should they come without a line feed.

        Raises:
            DeadlineError: there was none in time.
            DeathError: the process ended without one.
        """
        while b"\n" not in self._answers and len(self._answers) < _ANSWER_BYTES:
            ended = self._silent or b"\n" in self._report
            left = deadline - time.monotonic()
            before = len(self._answers)
            self._pump(0 if ended else max(left, 0))
            if len(self._answers) > before:
                continue
            if ended:
                raise DeathError
            if left <= 0:
                raise DeadlineError
        line, _, rest = self._answers.partition(b"\n")
        self._answers[:] = rest
        return bytes(line)

    def kill(self) -> Ending:
        """Have the warden kill the process with its descendants, and wait for their end."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        clock = GivenTime(self.pid)
        while not self._silent and clock.seconds < self._patience + _WARDEN_SECONDS:
            self._pump(SLICE_SECONDS)
            clock.tick(SLICE_SECONDS)
        # It has ended or does not listen; the kernel kills the worker with it.
        self._warden.kill()
        code = self._warden.wait()
        self._pump(0)
        self._close()
        ended, _, left = self._report.decode().partition("\n")
        if self._report.count(b"\n") < 2:  # what a warden says at least
            return Ending(code, ())
        return Ending(int(ended) if ended else None, tuple(map(int, left.split())))

    def _pump(self, timeout: float) -> None:
        """Move what the pipes hold into the buffers; wait for that up to ``timeout`` seconds."""
        for key, _ in self._selector.select(timeout):
            chunk = b""
            with contextlib.suppress(ConnectionResetError):
                chunk = os.read(key.fd, _CHUNK)
            if not chunk:
                self._selector.unregister(key.fileobj)
                self._silent |= key.fileobj is self._control
            key.data.extend(chunk)
        del self._stderr[:-_STDERR_BYTES]

    def _close(self) -> None:
        self._selector.close()
        self._control.close()
        for pipe in (self._warden.stdin, self._warden.stdout, self._warden.stderr):
            cast("IO[bytes]", pipe).close()


def describe_exit(code: int) -> str:
    """Say how a process ended.

    Args:
        code: as `subprocess` counts it, negative after a signal.
    """
    if code >= 0:
        return f"ended with exit status {code}"
    return f"killed by {signal.Signals(-code).name}"
