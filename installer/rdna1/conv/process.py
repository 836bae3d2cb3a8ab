"""A worker process from outside: start it, talk to it under a deadline, get rid of it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

# The last words of a process; a flood of them is cut from the front.
_STDERR_BYTES = 2048

# An answer has a few hundred bytes.
_ANSWER_BYTES = 65536

# A process that SIGKILL has not ended by then sits in a driver and may stay for ever.
_REAP_SECONDS = 10.0

# A crashed worker's children can hold its pipes open, so its end is looked for this often.
_POLL_SECONDS = 0.05

_CHUNK = 65536


class DeadlineError(Exception):
    """The worker has not answered in time."""


class DeathError(Exception):
    """The worker has ended without an answer."""


class Worker:
    """A process that leads a session, and so a process group, of its own.

    Start it from a thread that lives on: the kernel kills the worker when that thread ends, as
    `rdna1.conv.worker.die_with` asks for.

    Args:
        command: program and arguments; ``--supervisor PID`` is added.
        folder: where it runs.
        environment: all variables it gets.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        """Start the process."""
        self._process = subprocess.Popen(  # noqa: S603 - our own program, as a list
            [*command, "--supervisor", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            cwd=folder,
            env=environment,
        )
        self._requests, answers, stderr = (
            cast("IO[bytes]", pipe)
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        self._answers = bytearray()
        self._stderr = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(answers, selectors.EVENT_READ, self._answers)
        self._selector.register(stderr, selectors.EVENT_READ, self._stderr)

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._process.pid

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
            ended = self._has_ended()
            left = deadline - time.monotonic()
            before = len(self._answers)
            self._pump(0 if ended else min(max(left, 0), _POLL_SECONDS))
            if len(self._answers) > before:
                continue
            if ended:
                raise DeathError
            if left <= 0:
                raise DeadlineError
        line, _, rest = self._answers.partition(b"\n")
        self._answers[:] = rest
        return bytes(line)

    def kill(self) -> int | None:
        """Kill the process group and reap its leader.

        Returns:
            The exit code as `subprocess` counts it; None when even SIGKILL does not end it.
        """
        # The leader is not reaped yet, so the number of its group is still its own.
        os.killpg(self.pid, signal.SIGKILL)
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_REAP_SECONDS)
        self._pump(0)
        self._close()
        return code

    def _has_ended(self) -> bool:
        """Whether the leader has ended; it stays a zombie, so that `kill` finds the group."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None

    def _pump(self, timeout: float) -> None:
        """Move what the pipes hold into the buffers; wait for that up to ``timeout`` seconds."""
        for key, _ in self._selector.select(timeout):
            chunk = os.read(key.fd, _CHUNK)
            if not chunk:
                self._selector.unregister(key.fileobj)
            key.data.extend(chunk)
        del self._stderr[:-_STDERR_BYTES]

    def _close(self) -> None:
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            cast("IO[bytes]", pipe).close()


def describe_exit(code: int) -> str:
    """Say how a process ended.

    Args:
        code: as `subprocess` counts it, negative after a signal.
    """
    if code >= 0:
        return f"ended with exit status {code}"
    return f"killed by {signal.Signals(-code).name}"
