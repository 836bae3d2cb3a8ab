"""Run cases in a worker, under a deadline, and outlive whatever happens to it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.environment import worker_environment
from rdna1.conv.process import DeadlineError, DeathError, Worker, describe_exit
from rdna1.conv.protocol import (
    Failed,
    Opening,
    Preparation,
    Ready,
    Reply,
    Started,
    Unusable,
    encode,
)
from rdna1.conv.result import CaseResult, DeviceInfo, Outcome, UnusableDeviceError

WORKER_PROGRAM = (sys.executable, "-m", "rdna1.conv.worker")

# For what is not the device's work on a case: importing torch from a slow disk, creating the
# device's context, computing a large reference on the CPU.
ALLOWANCE_SECONDS = 120.0


M = TypeVar("M")


class DeviceLostError(Exception):
    """Nothing more can be measured on this device.

    Attributes:
        result: of the case that showed it.
    """

    def __init__(self, result: CaseResult) -> None:
        """Keep the result."""
        super().__init__(result.detail)
        self.result = result


@dataclass(frozen=True)
class _Phase(Generic[M]):
    """What the worker is doing while the supervisor waits.

    Attributes:
        answers: reads what the worker may say then.
        prefix: begins the detail of a result that was lost in this phase.
        late: outcome when the deadline passes.
        final: whether a loss means that no other worker will do better.
    """

    answers: msgspec.json.Decoder[M]
    prefix: str
    late: Outcome
    final: bool


_STARTING: _Phase[Opening] = _Phase(
    msgspec.json.Decoder(Opening), "the worker did not start: ", "hang", final=True
)
_PREPARING: _Phase[Preparation] = _Phase(
    msgspec.json.Decoder(Preparation), "before the device was used: ", "error", final=False
)
_RUNNING: _Phase[Reply] = _Phase(msgspec.json.Decoder(Reply), "", "hang", final=False)


class _LossError(Exception):
    """A worker is gone and has not answered; ``final`` as in `_Phase`."""

    def __init__(self, outcome: Outcome, seconds: float, detail: str, *, final: bool) -> None:
        super().__init__(detail)
        self.outcome: Outcome = outcome
        self.seconds = seconds
        self.final = final


class Supervisor:
    """A context manager that runs one case after the other.

    A worker that has answered takes the next case too; after anything else there is a new one,
    as an error can leave a device's context unusable; the worker says when it does not. Leaving
    the context, by whatever exception, leaves no process and no file behind.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``sim:FILE`` with an absolute path.
        timeout: seconds that a case may take on the device.
        program: the worker; it must do as `rdna1.conv.worker` does.
        allowance: seconds that a worker may take to start, and to prepare a case.

    Attributes:
        device: what the first worker said about it, None until then.
        workers_lost: how many died or had to be killed.
    """

    def __init__(
        self,
        device: str,
        timeout: float,
        *,
        program: Sequence[str] = WORKER_PROGRAM,
        allowance: float = ALLOWANCE_SECONDS,
    ) -> None:
        """Prepare a folder for the workers' files; the first case starts the first worker."""
        self.device: DeviceInfo | None = None
        self.workers_lost = 0
        self._command = [*program, "--device", device]
        self._timeout = timeout
        self._allowance = allowance
        self._folder = tempfile.TemporaryDirectory(prefix="rdna1-", ignore_cleanup_errors=True)
        self._worker: Worker | None = None

    def __enter__(self) -> Supervisor:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the worker and remove its files."""
        self._discard_worker()
        self._folder.cleanup()

    def run(self, case: ConvCase) -> CaseResult:
        """Run one case.

        Raises:
            UnusableDeviceError: the device that was asked for does not exist here.
            DeviceLostError: a worker does not start, or cannot be killed.
        """
        try:
            worker = self._worker or self._start()
            return self._ask(worker, case)
        except _LossError as loss:
            result = CaseResult(case, loss.outcome, loss.seconds, detail=str(loss))
            if loss.final:
                raise DeviceLostError(result) from loss
            return result

    def _start(self) -> Worker:
        """Start a worker and wait until it has opened the device."""
        begun = time.monotonic()
        folder = Path(self._folder.name)
        worker = Worker(self._command, folder, worker_environment(os.environ, folder))
        self._worker = worker
        message = self._receive(worker, self._allowance, _STARTING)
        if isinstance(message, Ready):
            self.device = message.device
            return worker
        self._discard_worker()
        if isinstance(message, Unusable) and self.device is None:
            raise UnusableDeviceError(message.text)
        detail = _STARTING.prefix + message.text
        raise _LossError("error", time.monotonic() - begun, detail, final=True)

    def _ask(self, worker: Worker, case: ConvCase) -> CaseResult:
        """Have a ready worker run a case."""
        worker.send(encode(case))
        begun = time.monotonic()
        reply: Preparation | Reply = self._receive(worker, self._allowance, _PREPARING)
        if isinstance(reply, Started):
            begun = time.monotonic()
            reply = self._receive(worker, self._timeout, _RUNNING)
        if isinstance(reply, Failed):
            seconds = time.monotonic() - begun
            if not reply.usable:
                self._discard_worker()
            return CaseResult(case, "error", seconds, detail=_with_last_words(reply.text, worker))
        return CaseResult(
            case,
            "wrong" if reply.fault else "pass",
            reply.seconds,
            reply.max_abs_err,
            reply.max_rel_err,
            reply.fault,
        )

    def _receive(self, worker: Worker, seconds: float, phase: _Phase[M]) -> M:
        """Wait for what the worker says next.

        Raises:
            _LossError: it says nothing, or nothing that makes sense; it is dead then.
        """
        begun = time.monotonic()
        try:
            return phase.answers.decode(worker.receive(begun + seconds))
        except DeadlineError:
            outcome, cause = phase.late, f"no answer within {seconds:g} s, killed"
        except DeathError:
            outcome, cause = "crash", ""
        except msgspec.MsgspecError as error:
            outcome, cause = "error", f"unintelligible answer: {error}"
        self.workers_lost += 1
        elapsed = time.monotonic() - begun
        code = self._discard_worker()
        if code is None:
            cause += f", but process {worker.pid} does not die; only a reboot ends it"
        elif outcome == "crash":
            cause = describe_exit(code)
        detail = phase.prefix + _with_last_words(cause, worker)
        raise _LossError(outcome, elapsed, detail, final=phase.final or code is None)

    def _discard_worker(self) -> int | None:
        """Get rid of the worker; its exit code, None when there is none."""
        worker, self._worker = self._worker, None
        return worker.kill() if worker else None


def _with_last_words(cause: str, worker: Worker) -> str:
    return f"{cause}\n{worker.last_words}".strip()
