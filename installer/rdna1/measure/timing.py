"""How long convolutions take: the first time in a fresh process, and from then on."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import RIGHT, CaseResult, DeviceInfo
from rdna1.measure.conditions import Conditions, observe
from rdna1.measure.head import INTERRUPTED, Head
from rdna1.measure.slowness import mark_slow
from rdna1.worker.supervisor import WAIT_SECONDS, DeviceLostError, Supervisor

# The layer and the sides of the first investigation of a card, and sides between.
_SIDES = (32, 40, 42, 44, 48, 56, 64, 96, 128, 160, 192, 224)

# Layers of ResNet-50, MobileNetV2 and a U-Net at an input of 224, and of 128 for the U-Net.
_LAYERS = (
    *(ConvCase(16, 32, side, side, 3, 3, padding=1) for side in _SIDES),
    ConvCase(3, 64, 224, 224, 7, 7, stride=2, padding=3),
    ConvCase(64, 64, 56, 56, 3, 3, padding=1),
    ConvCase(64, 256, 56, 56, 1, 1),
    ConvCase(128, 128, 28, 28, 3, 3, padding=1),
    ConvCase(256, 256, 14, 14, 3, 3, padding=1),
    ConvCase(512, 512, 7, 7, 3, 3, padding=1),
    ConvCase(96, 96, 56, 56, 3, 3, padding=1, groups=96),
    ConvCase(64, 64, 128, 128, 3, 3, padding=1),
    ConvCase(128, 64, 64, 64, 2, 2, stride=2, transposed=True),
)


class TimingCase(CaseResult, frozen=True, kw_only=True):
    """One case and its times; ``seconds`` is the median of the warm runs.

    Attributes:
        open_seconds: from the start of the worker until it had imported torch and opened the
            device; None when it did not.
        compile_seconds: by how much the first run was longer than the warm ones: compiling and
            choosing kernels. None unless the result is right.
        warm_seconds: of each warm run, in their order.
        gflops: 10^9 floating-point operations a second in ``seconds``, two for each
            multiply-accumulate of the plain sum; None unless the result is right.
    """

    open_seconds: float | None
    compile_seconds: float | None
    warm_seconds: list[float]
    gflops: float | None


class TimingReport(Head, frozen=True, kw_only=True, tag="timing"):
    """What was timed; the attributes are the keys of its JSON form.

    Attributes:
        device: where the cases ran, None when no worker could start.
        verdict: ``pass`` when every case was run and gave the right result; some may be slow.
        stopped: why not every case was run, empty when all were.
        not_run: number of cases that were planned and not run.
        repeat: number of warm runs of each case.
        timeout: seconds that each run was given.
        max_hangs: lost workers that were allowed.
        workers_lost: number of worker processes that died or had to be killed.
        wall_seconds: from start to end, starting workers included.
        kernel_log_unavailable: why no reset would have been noticed, empty if one would.
        resets: what the kernel said about resets of a card.
        measured: where and when.
        cases: in the order in which they were run.
    """

    device: DeviceInfo | None
    stopped: str
    not_run: int
    repeat: int
    timeout: float
    max_hangs: int
    workers_lost: int
    wall_seconds: float
    kernel_log_unavailable: str
    resets: list[str]
    measured: Conditions
    cases: list[TimingCase]


class TimingStep(NamedTuple):
    """The case that runs next, the number of those that are done, and of lost workers."""

    case: ConvCase
    done: int
    lost: int


class TimingPlan(NamedTuple):
    """What to time.

    Attributes:
        device: as `rdna1.worker.supervisor.Supervisor` takes it.
        timeout: seconds for each run of a case.
        repeat: number of warm runs of each case.
        max_hangs: no case is run after so many lost workers.
        cases: at least one.
    """

    device: str
    timeout: float
    repeat: int
    max_hangs: int
    cases: Sequence[ConvCase]


def timing_cases(max_side: int | None = None) -> list[ConvCase]:
    """Return the layers that are timed where none are asked for, forward.

    Args:
        max_side: leave out those whose input or output has a longer side, in pixels.
    """
    return [case for case in _LAYERS if max_side is None or case.longest_side <= max_side]


def run_timing(
    plan: TimingPlan,
    on_step: Callable[[TimingStep], None],
    *,
    wait: float = WAIT_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
) -> TimingReport:
    """Time cases until the end, the last hang allowed, the loss of the device, or Ctrl-C.

    Each case has a process and MIOpen databases of its own, so none profits from another.

    Args:
        plan: what to time.
        on_step: called before each case.
        wait: seconds to wait for another run that has the device.
        on_wait: told who has it.

    Raises:
        rdna1.conv.result.UnusableDeviceError: the device does not exist here, or another run
            has it.
    """
    begun = time.monotonic()
    results: list[TimingCase] = []
    with Supervisor(plan.device, plan.timeout, wait=wait, on_wait=on_wait) as worker:
        stopped = _run(plan, worker, results, on_step)
    passed = not stopped and all(result.outcome in RIGHT for result in results)
    return TimingReport(
        device=worker.device,
        verdict="pass" if passed else "fail",
        stopped=stopped,
        not_run=len(plan.cases) - len(results),
        repeat=plan.repeat,
        timeout=plan.timeout,
        max_hangs=plan.max_hangs,
        workers_lost=worker.workers_lost,
        wall_seconds=time.monotonic() - begun,
        kernel_log_unavailable=worker.kernel_log_unavailable,
        resets=worker.resets,
        measured=observe(worker.device, os.environ),
        cases=mark_slow(results),
    )


def _run(
    plan: TimingPlan,
    supervisor: Supervisor,
    results: list[TimingCase],
    on_step: Callable[[TimingStep], None],
) -> str:
    """Time the cases; return why not all of them were."""
    try:
        for case in plan.cases:
            if supervisor.workers_lost >= plan.max_hangs:
                return f"the hang budget of {plan.max_hangs} is exhausted"
            on_step(TimingStep(case, len(results), supervisor.workers_lost))
            supervisor.start_afresh()
            results.append(_time(case, plan.repeat, supervisor))
    except DeviceLostError as lost:
        results.append(_timed(lost.result, supervisor.open_seconds, []))
        return f"device lost: {lost.result.detail}"
    except KeyboardInterrupt:
        return INTERRUPTED
    return ""


def _time(case: ConvCase, repeat: int, supervisor: Supervisor) -> TimingCase:
    """Run a case in a fresh worker until it has been run warm so many times."""
    cold = result = supervisor.run(case)
    warm = [result.seconds] if result.outcome in RIGHT else []
    while result.outcome in RIGHT and len(warm) < repeat:
        # The worker knows the case by now: both runs are warm.
        result = supervisor.run(case)
        if result.outcome in RIGHT and result.first_seconds is not None:
            warm += [result.first_seconds, result.seconds]
    if result.outcome in RIGHT:
        result = msgspec.structs.replace(cold, seconds=statistics.median(warm[:repeat]))
    else:
        result = msgspec.structs.replace(result, first_seconds=cold.first_seconds)
    return _timed(result, supervisor.open_seconds, warm[:repeat])


def _timed(result: CaseResult, open_seconds: float | None, warm: list[float]) -> TimingCase:
    """Return a result with what follows from its times."""
    compiled = gflops = None
    if result.outcome in RIGHT and result.first_seconds is not None:
        compiled = max(0.0, result.first_seconds - result.seconds)
        gflops = 2 * result.case.multiply_accumulates / result.seconds / 1e9
    return TimingCase(
        **msgspec.structs.asdict(result),
        open_seconds=open_seconds,
        compile_seconds=compiled,
        warm_seconds=warm,
        gflops=gflops,
    )
