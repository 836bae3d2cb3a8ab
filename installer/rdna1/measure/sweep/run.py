"""Run a sweep, or one shard of it, in one or several sessions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import LOSSES, CaseResult
from rdna1.measure.conditions import observe
from rdna1.measure.head import INTERRUPTED
from rdna1.measure.journal import STOPPED_MACHINE, Journal, Session
from rdna1.measure.slowness import mark_slow
from rdna1.measure.sweep.grid import Combinations, Grid
from rdna1.measure.sweep.report import SweepCase, SweepPart, SweepReport, verdict
from rdna1.measure.sweep.shard import Shard, cases_of
from rdna1.worker.supervisor import WAIT_SECONDS, DeviceLostError, Supervisor


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be the same for a sweep to go on.

    Attributes:
        requested: the device as it was asked for.
        timeout: seconds for each of the two runs of a case.
        shard: as in ``1/2``.
        grid: written out.
    """

    schema_version: Literal[1] = 1
    kind: Literal["sweep-journal"] = "sweep-journal"
    requested: str
    timeout: float
    shard: str
    grid: Grid


class SweepPlan(NamedTuple):
    """What to run.

    Attributes:
        device: as `rdna1.worker.supervisor.Supervisor` takes it.
        timeout: seconds for each of the two runs of a case, at most.
        max_hangs: no case is run after so many lost workers, those of earlier sessions included.
        grid: written out.
        found: its combinations.
        shard: which of them are run.
        journal: file to go on from; None keeps nothing.
    """

    device: str
    timeout: float
    max_hangs: int
    grid: Grid
    found: Combinations
    shard: Shard
    journal: Path | None = None


class SweepStep(NamedTuple):
    """The case that runs next, the number of those that are done, and of lost workers."""

    case: ConvCase
    done: int
    lost: int


def run_sweep(
    plan: SweepPlan,
    on_step: Callable[[SweepStep], None],
    *,
    wait: float = WAIT_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
) -> SweepReport:
    """Run until the end, the last hang allowed, the loss of the device, or Ctrl-C.

    The journal is removed when the sweep is complete.

    Args:
        plan: at least one case.
        on_step: called before each case.
        wait: seconds to wait for another run that has the device.
        on_wait: told who has it.

    Raises:
        rdna1.measure.journal.JournalError: the journal cannot be resumed.
        rdna1.conv.result.UnusableDeviceError: the device does not exist here, or another run
            has it.
    """
    header = Header(
        requested=plan.device, timeout=plan.timeout, shard=str(plan.shard), grid=plan.grid
    )
    with Journal(plan.journal, header, SweepCase) as journal:
        begun = time.monotonic()
        if journal.cut_short:
            lost = CaseResult(journal.cut_short, "hang", 0.0, detail=STOPPED_MACHINE)
            journal.add_case(_numbered(lost, plan.shard.number))
        # A machine that stopped has not written its session down.
        earlier = max(
            sum(session.workers_lost for session in journal.sessions),
            sum(result.outcome in LOSSES for result in journal.cases),
        )
        with Supervisor(
            plan.device, plan.timeout, adaptive=True, wait=wait, on_wait=on_wait
        ) as supervisor:
            stopped = _run(plan, journal, supervisor, earlier, on_step)
        journal.add_session(
            Session(
                device=supervisor.device,
                measured=observe(supervisor.device, os.environ),
                workers_lost=supervisor.workers_lost,
                wall_seconds=time.monotonic() - begun,
                kernel_log_unavailable=supervisor.kernel_log_unavailable,
                resets=supervisor.resets,
            )
        )
        if not stopped:
            journal.remove()
        return _report(plan, journal, stopped)


def _run(
    plan: SweepPlan,
    journal: Journal[SweepCase],
    supervisor: Supervisor,
    earlier: int,
    on_step: Callable[[SweepStep], None],
) -> str:
    """Run what is left; return why not everything was run."""
    done = {result.case for result in journal.cases}
    left = [case for case in cases_of(plan.shard, plan.found.cases) if case not in done]
    try:
        for number, case in enumerate(left):
            lost = earlier + supervisor.workers_lost
            if lost >= plan.max_hangs:
                return f"the hang budget of {plan.max_hangs} is exhausted"
            on_step(SweepStep(case, len(done) + number, lost))
            journal.start(case)
            result = supervisor.run(case)
            if number == 0:
                journal.begin(observe(supervisor.device, os.environ))
            journal.add_case(_numbered(result, plan.shard.number))
    except DeviceLostError as lost_device:
        journal.add_case(_numbered(lost_device.result, plan.shard.number))
        return f"device lost: {lost_device.result.detail}"
    except KeyboardInterrupt:
        return INTERRUPTED
    return ""


def _numbered(result: CaseResult, shard: int) -> SweepCase:
    return SweepCase(**msgspec.structs.asdict(result), shard=shard)


def _report(plan: SweepPlan, journal: Journal[SweepCase], stopped: str) -> SweepReport:
    total = len(cases_of(plan.shard, plan.found.cases))
    last = journal.sessions[-1]
    part = SweepPart(
        shard=plan.shard.number,
        device=last.device,
        measured=last.measured,
        stopped=stopped,
        not_run=total - len(journal.cases),
        workers_lost=sum(session.workers_lost for session in journal.sessions),
        wall_seconds=sum(session.wall_seconds for session in journal.sessions),
        kernel_log_unavailable=last.kernel_log_unavailable,
        resets=[text for session in journal.sessions for text in session.resets],
    )
    place = {case: number for number, case in enumerate(plan.found.cases)}
    results = sorted(mark_slow(journal.cases), key=lambda result: place[result.case])
    return SweepReport(
        verdict=verdict([part], results),
        grid=plan.grid,
        timeout=plan.timeout,
        max_hangs=plan.max_hangs,
        legal=len(plan.found.cases),
        illegal=plan.found.illegal,
        too_large=plan.found.too_large,
        shard_count=plan.shard.of,
        parts=[part],
        cases=results,
    )
