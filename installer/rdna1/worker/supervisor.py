"""Run cases in a worker, under a deadline, and outlive whatever happens to it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult, DeviceInfo
from rdna1.worker.deadline import Deadline, Run, adaptive_deadline
from rdna1.worker.device_lock import DeviceLock
from rdna1.worker.dialogue import (
    FIRST_RUN,
    PREPARING,
    SECOND_RUN,
    LossError,
    describe_left,
    listen,
    with_last_words,
)
from rdna1.worker.interrupt import interrupts_held
from rdna1.worker.kernel_log import KERNEL_LOG, KernelLog, KernelMessage
from rdna1.worker.messages import Failed, Ready, encode
from rdna1.worker.process import Worker
from rdna1.worker.workers import Limits, Workers

WORKER_PROGRAM = (sys.executable, "-m", "rdna1.worker.worker")

# For what is not the device's work on a case: importing torch from a slow disk, creating the
# device's context, computing a large reference on the CPU.
ALLOWANCE_SECONDS = 120.0

# A process that SIGKILL has not ended by then sits in a driver and may stay for ever.
PATIENCE_SECONDS = 10.0

# How long another run may keep the device: longer than a smoke test takes.
WAIT_SECONDS = 300.0


class DeviceLostError(Exception):
    """Nothing more can be measured on this device.

    Attributes:
        result: of the case that showed it.
    """

    def __init__(self, result: CaseResult) -> None:
        """Keep the result."""
        super().__init__(result.detail)
        self.result = result


class DeviceResetError(DeviceLostError):
    """The kernel has reset the device, or asks for that; what follows would mean little."""


class Supervisor:
    """A context manager that runs one case after the other.

    A worker that has answered takes the next case too; after anything else another one does, as
    an error can leave a device's context unusable; the worker says when it does not. Leaving the
    context, by whatever exception, leaves no process and no file behind; a Ctrl-C meanwhile is held
    back until that is done. So a caller may catch KeyboardInterrupt inside the context and still
    use the results it has.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``sim:FILE`` with an absolute path.
        timeout: seconds that each of the two runs of a case may take on the device.
        program: the worker; it must do as `rdna1.worker.worker` does.
        allowance: seconds that a worker may take to start, and to prepare a case.
        adaptive: let cases that have passed shorten the deadline (see
            `rdna1.worker.deadline`).
        variables: set in the workers' environment, or removed from it if None.
        unkillable_limit: number of workers that SIGKILL does not end to go on without.
        patience: seconds that SIGKILL may take.
        kernel_log: read for resets whatever the device; None reads the kernel's log if the
            device is a GPU.
        wait: seconds to wait for another run that has the device.
        on_wait: told who has it.

    Attributes:
        device: what the first worker said about it, None until then.
        kernel_messages: what the kernel has said about graphics cards during the run.
        hurried: the cases that hung under a deadline that others had shortened.
    """

    def __init__(
        self,
        device: str,
        timeout: float,
        *,
        program: Sequence[str] = WORKER_PROGRAM,
        allowance: float = ALLOWANCE_SECONDS,
        adaptive: bool = False,
        variables: Mapping[str, str | None] = MappingProxyType({}),
        unkillable_limit: int = 1,
        patience: float = PATIENCE_SECONDS,
        kernel_log: Path | None = None,
        wait: float = WAIT_SECONDS,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare a folder for the workers' files; the first case starts the first worker.

        Raises:
            ValueError: ``variables`` has one that is the run's own.
        """
        self.device: DeviceInfo | None = None
        self.kernel_messages: list[KernelMessage] = []
        self.hurried: set[ConvCase] = set()
        self._timeout = timeout
        self._allowance = allowance
        self._adaptive = adaptive
        self._runs: list[Run] = []
        self._always_watch = kernel_log is not None
        self._wait = wait
        self._on_wait = on_wait
        self._lock: DeviceLock | None = None
        self._interrupted = False
        limits = Limits(allowance, patience, unkillable_limit)
        self._workers = Workers([*program, "--device", device], variables, limits)
        self._kernel_log = KernelLog(kernel_log or KERNEL_LOG)

    def __enter__(self) -> Supervisor:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the workers, remove their files, let others have the device."""
        obeyed = self._interrupted or isinstance(error, KeyboardInterrupt)
        with interrupts_held(drop=obeyed):
            self._read_kernel_log()
            self._kernel_log.close()
            self._workers.close()
            if self._lock:
                self._lock.release()

    @property
    def workers_lost(self) -> int:
        """Number of workers that died or had to be killed."""
        return self._workers.lost

    @property
    def resets(self) -> list[str]:
        """What the kernel has said about resets of a card during the run."""
        return [message.text for message in self.kernel_messages if message.kind == "reset"]

    @property
    def kernel_log_unavailable(self) -> str:
        """Why no reset would be noticed, empty if one would be."""
        return self._kernel_log.unavailable

    @property
    def open_seconds(self) -> float | None:
        """From the start of the last worker until it had opened the device."""
        return self._workers.open_seconds

    def start_afresh(self) -> None:
        """Give the next case a new process, without what earlier ones have compiled and chosen."""
        with interrupts_held(drop=False):
            self._workers.start_afresh()

    def run(self, case: ConvCase, *, patient: bool = False) -> CaseResult:
        """Run one case, twice.

        Args:
            case: what to run.
            patient: give it the full timeout, whatever was learnt from others, unless its process
                does nothing on end (see `rdna1.worker.deadline`).

        Raises:
            UnusableDeviceError: the device that was asked for does not exist here.
            DeviceBusyError: another run has it.
            DeviceResetError: the kernel says that a card was reset, now or before.
            DeviceLostError: a worker does not start, or too many cannot be killed.
        """
        try:
            self._read_kernel_log()
            if self.resets:
                detail = f"{PREPARING.prefix}the kernel log says: {self.resets[-1]}"
                raise DeviceResetError(CaseResult(case, "error", 0.0, detail=detail))
            result = self._run_on_worker(case, patient=patient)
            self._raise_if_lost(result)
        except BaseException as error:
            self._interrupted |= isinstance(error, KeyboardInterrupt)
            # It may still work on the case, and would take the next one for its successor.
            self._workers.discard()
            raise
        return result

    def _run_on_worker(self, case: ConvCase, *, patient: bool) -> CaseResult:
        """Find a worker and have it run the case."""
        try:
            worker, ready = self._workers.take()
        except LossError as loss:
            self._workers.note(loss)
            raise DeviceLostError(_lost(case, loss, None)) from loss
        self.device = self.device or ready.device
        self._take_lock(ready)
        deadline = self._deadline(case, patient=patient)
        result = self._ask(worker, case, deadline)
        if result.outcome == "hang" and deadline.seconds < self._timeout:
            self.hurried.add(case)
        return result

    def _take_lock(self, ready: Ready) -> None:
        """See that no other run has the device; opening it first has told what it is."""
        if ready.identity is not None and self._lock is None:
            lock = DeviceLock(ready.identity)
            lock.acquire(self._wait, self._on_wait)
            self._lock = lock

    def _deadline(self, case: ConvCase, *, patient: bool) -> Deadline:
        runs = self._runs if self._adaptive else []
        return adaptive_deadline(case.multiply_accumulates, runs, self._timeout, patient=patient)

    def _ask(self, worker: Worker, case: ConvCase, deadline: Deadline) -> CaseResult:
        """Have a ready worker run a case."""
        first_seconds = None
        begun = time.monotonic()
        try:
            worker.send(encode(case))
            started = listen(worker, self._allowance, PREPARING)
            if isinstance(started, Failed):
                return self._failure(case, worker, started, begun)
            begun = time.monotonic()
            first = listen(worker, deadline.seconds, FIRST_RUN, idle=deadline.idle)
            if isinstance(first, Failed):
                return self._failure(case, worker, first, begun)
            self._runs.append(Run(case.multiply_accumulates, time.monotonic() - begun))
            first_seconds = first.seconds
            begun = time.monotonic()
            answer = listen(worker, deadline.seconds, SECOND_RUN, idle=deadline.idle)
            if isinstance(answer, Failed):
                return self._failure(case, worker, answer, begun)
        except LossError as loss:
            self._workers.note(loss)
            return _lost(case, loss, first_seconds)
        return CaseResult(
            case,
            "wrong" if answer.fault else "pass",
            answer.seconds,
            answer.max_abs_err,
            answer.max_rel_err,
            answer.fault,
            first_seconds,
            answer.waited_seconds,
        )

    def _failure(self, case: ConvCase, worker: Worker, failed: Failed, begun: float) -> CaseResult:
        """Return the result of a case that the worker reports an error of."""
        seconds = time.monotonic() - begun
        if not failed.usable:
            self._workers.discard()
        return CaseResult(case, "error", seconds, detail=with_last_words(failed.text, worker))

    def _raise_if_lost(self, result: CaseResult) -> None:
        """See whether anything after this result would still mean something."""
        known = len(self.resets)
        self._read_kernel_log()
        if len(self.resets) > known:
            said = f"the kernel log says: {self.resets[known]}"
            raise DeviceResetError(_with_detail(result, said))
        if self._workers.exhausted:
            left = tuple(pid for pids in self._workers.unkillable for pid in pids)
            raise DeviceLostError(_with_detail(result, describe_left(left)))

    def _read_kernel_log(self) -> None:
        if self._always_watch or (self.device and self.device.type == "cuda"):
            self.kernel_messages += self._kernel_log.poll()


def _lost(case: ConvCase, loss: LossError, first_seconds: float | None) -> CaseResult:
    return CaseResult(
        case, loss.outcome, loss.seconds, detail=str(loss), first_seconds=first_seconds
    )


def _with_detail(result: CaseResult, more: str) -> CaseResult:
    return msgspec.structs.replace(result, detail="; ".join(filter(None, [result.detail, more])))
