"""A worker process from outside: start it, talk to it under a deadline, get rid of it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from typing import NamedTuple

from rdna1.worker.given_time import SLICE_SECONDS, GivenTime
from rdna1.worker.template import Template

# The last words of a process; a flood of them is cut from the front.
_OUTPUT_BYTES = 2048

# An answer has a few hundred bytes.
_ANSWER_BYTES = 65536

# What the reaper may need beyond the time that it waits for the killed.
_REAPER_SECONDS = 10.0

# How long SIGKILL takes where nothing holds it up.
_DEATH_SECONDS = 1.0

# Lines of a reaper whose worker has ended.
_ENDED = 2

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
    """A copy of the template, its descendants, and the reaper that kills them.

    They end with this object and with this process, whatever ends it: each of these closes the
    socket that the reaper listens to (see `rdna1.worker.reaper`). So a worker may be started from
    any thread.

    Args:
        template: what it is a copy of.
        patience: seconds that the killed may take to end.
    """

    def __init__(self, template: Template, patience: float) -> None:
        """Ask for the processes; the template may still have to import what it needs."""
        self._template = template
        self._patience = patience
        self._control, control = socket.socketpair()
        self._channel, channel = socket.socketpair()
        with control, channel:
            template.ask(channel, control, patience)
        self._answers = bytearray()
        self._output = bytearray()
        self._report = bytearray()
        self._silent = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._channel, selectors.EVENT_READ, self._answers)
        self._selector.register(template.output, selectors.EVENT_READ, self._output)
        self._selector.register(self._control, selectors.EVENT_READ, self._report)

    @property
    def pid(self) -> int:
        """Id of a process from which all of the worker descend: the reaper, once it is there."""
        return self._reaper or self._template.pid

    @property
    def _reaper(self) -> int | None:
        line, told, _ = self._report.partition(b"\n")
        return int(line) if told else None

    @property
    def last_words(self) -> str:
        """What the process wrote last to its output since the last request."""
        return self._output.decode(errors="replace").strip()

    def send(self, line: bytes) -> None:
        """Send a request of one line; if the process has ended, `receive` will say so."""
        self._pump(0)
        self._output.clear()
        with contextlib.suppress(OSError):
            self._channel.sendall(line)

    def receive(self, deadline: float) -> bytes:
        """Wait for one line, and read its output meanwhile so that nobody blocks on it.

        Args:
            deadline: as `time.monotonic` counts.

        Returns:
            The line; more bytes than any answer has, should they come without a line feed.

        Raises:
            DeadlineError: there was none in time.
            DeathError: the process ended without one.
        """
        while b"\n" not in self._answers and len(self._answers) < _ANSWER_BYTES:
            ended = self._silent or self._report.count(b"\n") >= _ENDED
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
        """Have the reaper kill the process with its descendants, and wait for their end."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        self._pump(0)
        code = None
        if not self._reaper:
            # The template still imports, or is dead; what it was asked for ends with it.
            code = self._template.kill()
        clock = GivenTime(self.pid)
        while not self._silent and clock.seconds < self._patience + _REAPER_SECONDS:
            self._pump(SLICE_SECONDS)
            clock.tick(SLICE_SECONDS)
        if not self._silent:
            # It does not listen; the kernel kills the worker with it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._pump(_DEATH_SECONDS)
        # All that it has written, so that its successor's last words are its own.
        self._pump(0)
        self._close()
        _, ended, left = [*self._report.decode().split("\n"), "", ""][:3]
        if self._report.count(b"\n") < _ENDED:
            stuck = () if self._silent else (self.pid,)
            return Ending(code, stuck)
        return Ending(int(ended) if ended else None, tuple(map(int, left.split())))

    def _pump(self, timeout: float) -> None:
        """Move what has come into the buffers; wait for that up to ``timeout`` seconds."""
        for key, _ in self._selector.select(timeout):
            chunk = b""
            with contextlib.suppress(ConnectionResetError):
                chunk = os.read(key.fd, _CHUNK)
            if not chunk:
                self._selector.unregister(key.fileobj)
                self._silent |= key.fileobj is self._control
            key.data.extend(chunk)
        del self._output[:-_OUTPUT_BYTES]

    def _close(self) -> None:
        self._selector.close()
        self._control.close()
        self._channel.close()


def describe_exit(code: int) -> str:
    """Say how a process ended.

    Args:
        code: as `subprocess` counts it, negative after a signal.
    """
    if code >= 0:
        return f"ended with exit status {code}"
    return f"killed by {signal.Signals(-code).name}"
