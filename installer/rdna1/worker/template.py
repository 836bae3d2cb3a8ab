"""The process of a run that has imported torch, and of which each worker is a copy.

Importing torch takes seconds of a processor, and of a slow disk; a copy takes some milliseconds. So
a worker that was lost costs little, and no other one has to be kept ready. Nothing runs on a
device, and no thread starts, before the copy is made: a copy cannot use a device that its original
has opened. What a worker does stays its own, its death included.

Asked for a worker, the template forks a reaper (see `rdna1.worker.reaper`), which forks the worker.
The template waits for neither: one that cannot be killed holds up nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdna1.worker.reaper import fork_worker

# How long a template that was killed may take to end; it may sit in a driver.
_END_SECONDS = 10.0

_REQUEST_BYTES = 64


class Template:
    """The process, as the supervisor sees it.

    It ends with this object and with this process, whatever ends it: each of these closes the pipe
    on its standard input.

    Args:
        command: program with its full path, and arguments; ``--requests FD`` is added, with which
            it must call `become_worker`.
        folder: where it and its workers run.
        environment: all variables they get.

    Attributes:
        output: descriptor of what it and its workers write to standard output and error.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        """Start the process."""
        self._killed = False
        self._requests, requests = socket.socketpair()
        self.output, written = os.pipe()
        os.set_blocking(self.output, False)
        try:
            with requests:
                self._process = subprocess.Popen(  # noqa: S603 - our own program, as a list
                    [*command, "--requests", str(requests.fileno())],
                    stdin=subprocess.PIPE,
                    stdout=written,
                    stderr=written,
                    bufsize=0,
                    # Out of reach of a terminal's Ctrl-C.
                    start_new_session=True,
                    pass_fds=[requests.fileno()],
                    cwd=folder,
                    env=environment,
                )
        finally:
            os.close(written)

    @property
    def pid(self) -> int:
        """Its id; reapers and workers descend from it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked for a worker."""
        return not self._killed and self._process.poll() is None

    def ask(self, channel: socket.socket, control: socket.socket, patience: float) -> None:
        """Ask for a worker; if the template is dead, both sockets are at their end.

        Args:
            channel: where the worker answers requests.
            control: of its reaper.
            patience: seconds that the reaper waits for the killed.
        """
        request = str(patience).encode()
        with contextlib.suppress(OSError):
            socket.send_fds(self._requests, [request], [channel.fileno(), control.fileno()])

    def kill(self) -> int | None:
        """Kill it, not its workers.

        Returns:
            Its exit code as `subprocess` counts it, None when it does not end.
        """
        self._killed = True
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_SECONDS)
        return None

    def close(self) -> None:
        """End it, not its workers."""
        self.kill()
        self._requests.close()
        os.close(self.output)
        if self._process.stdin:
            self._process.stdin.close()


def end_with_supervisor() -> None:
    """Have the kernel end this process when the supervisor is dead, whatever it does then.

    By SIGIO, which comes when the other end of standard input closes, and only then, as nothing is
    written there.

    Raises:
        SystemExit: it is dead already.
    """
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        sys.exit("the supervisor is dead")


def become_worker(requests: int) -> socket.socket:
    """Be the template until the supervisor ends it; return in each worker.

    Args:
        requests: the descriptor that the program was given.

    Returns:
        The worker's channel to the supervisor.
    """
    with socket.socket(fileno=requests) as asked:
        while True:
            request, descriptors, _, _ = socket.recv_fds(asked, _REQUEST_BYTES, 2)
            if not request:
                sys.exit()
            channel, control = (socket.socket(fileno=each) for each in descriptors)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass
            if not os.fork():
                break
            channel.close()
            control.close()
    # A worker's children get nothing to read, and may write where messages are not read.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for each in (channel, control):
        each.set_inheritable(False)
    fork_worker(control, float(request))
    return channel
