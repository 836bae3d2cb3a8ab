"""Find the boundary of a device, whatever happens on the way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import LOSSES, CaseResult, DeviceInfo
from rdna1.measure.boundary.conclusion import conclude
from rdna1.measure.boundary.investigation import HangBudgetError, Investigation, Step
from rdna1.measure.boundary.kinds import Form
from rdna1.measure.boundary.report import BoundaryReport, RouteName, RouteReport
from rdna1.measure.boundary.routes import VARIABLES, search_route
from rdna1.measure.conditions import Conditions, observe
from rdna1.measure.head import INTERRUPTED
from rdna1.measure.journal import STOPPED_MACHINE, Journal, OtherRunError, Session
from rdna1.measure.slowness import assess
from rdna1.worker.supervisor import WAIT_SECONDS, DeviceLostError, Supervisor


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be the same for a search to go on.

    Attributes:
        requested: the device as it was asked for.
        timeout: seconds for each case.
        max_side: no map is higher or wider, in pixels.
        form: which classes of layers are tried.
    """

    schema_version: Literal[1] = 1
    kind: Literal["boundary-journal"] = "boundary-journal"
    requested: str
    timeout: float
    max_side: int
    form: Form


class BoundaryPlan(NamedTuple):
    """What to search.

    Attributes:
        device: as `rdna1.worker.supervisor.Supervisor` takes it.
        timeout: seconds for each case on the device, at most.
        max_side: no map is higher or wider, in pixels.
        max_hangs: no case is run after so many lost workers, those of earlier sessions included.
        form: which classes of layers are tried.
        journal: file to go on from; None keeps nothing.
        routes: other ways to compute layers, which are searched after that.
    """

    device: str
    timeout: float
    max_side: int
    max_hangs: int
    form: Form = "full"
    journal: Path | None = None
    routes: Sequence[RouteName] = ()


def run_boundary(
    plan: BoundaryPlan,
    on_step: Callable[[Step], None],
    *,
    wait: float = WAIT_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
) -> BoundaryReport:
    """Search until the end, the last hang allowed, the loss of the device, or Ctrl-C.

    What a journal holds is not run again. A journal of another device, or of other settings, is
    begun again: what it says does not hold here. It is removed at the end of the search, and kept
    where the hangs are used up: with more of them the search goes on. The search of a route is
    begun again.

    Args:
        plan: what to search.
        on_step: called before each case that is run.
        wait: seconds to wait for another run that has the device.
        on_wait: told who has it.

    Raises:
        rdna1.measure.journal.JournalError: the journal cannot be read, or another run writes to it.
        rdna1.conv.result.UnusableDeviceError: the device does not exist here, or another run
            has it.
    """
    try:
        return _searched(plan, on_step, wait, on_wait)
    except OtherRunError:
        if plan.journal is None:
            raise
        plan.journal.unlink()
    return _searched(plan, on_step, wait, on_wait)


def _searched(
    plan: BoundaryPlan, on_step: Callable[[Step], None], wait: float, on_wait: Callable[[str], None]
) -> BoundaryReport:
    header = Header(
        requested=plan.device, timeout=plan.timeout, max_side=plan.max_side, form=plan.form
    )
    with Journal(plan.journal, header, CaseResult) as journal:
        begun = time.monotonic()
        if journal.cut_short:
            journal.add_case(CaseResult(journal.cut_short, "hang", 0.0, detail=STOPPED_MACHINE))
        earlier = sum(result.outcome in LOSSES for result in journal.cases)
        with Supervisor(
            plan.device,
            plan.timeout,
            adaptive=True,
            wait=wait,
            on_wait=on_wait,
        ) as supervisor:
            resumed = _Resumed(supervisor, journal, on_step, plan)
            investigation = Investigation(
                resumed.measure,
                plan.max_side,
                resumed.max_hangs,
                resumed.tell,
                plan.form,
                resumed,
                resumed.confirm,
            )
            stopped = _run(investigation, plan.max_hangs)
        device, measured = _where(supervisor, journal)
        session = Session(
            device=device,
            measured=measured,
            workers_lost=supervisor.workers_lost,
            wall_seconds=time.monotonic() - begun,
            kernel_log_unavailable=supervisor.kernel_log_unavailable,
            resets=supervisor.resets,
        )
        lost = earlier + supervisor.workers_lost
        routes: list[RouteReport] = []
        for route in () if stopped else plan.routes:
            routes.append(_route(route, plan, lost, on_step, wait, on_wait))
            lost += routes[-1].workers_lost
            stopped = INTERRUPTED if routes[-1].stopped == INTERRUPTED else ""
            if stopped:
                break
        session = msgspec.structs.replace(session, wall_seconds=time.monotonic() - begun)
        if stopped:
            journal.add_session(session)
        else:
            journal.sessions.append(session)
            journal.remove()
    return BoundaryReport(
        device=device,
        result=conclude(investigation.cases, plan.max_side),
        complete=not stopped,
        stopped=stopped,
        max_side=plan.max_side,
        max_hangs=plan.max_hangs,
        workers_lost=lost,
        wall_seconds=sum(each.wall_seconds for each in journal.sessions),
        kernel_log_unavailable=supervisor.kernel_log_unavailable,
        resets=[text for each in journal.sessions for text in each.resets],
        measured=measured,
        cases=investigation.cases,
        routes=routes,
    )


def _route(
    route: RouteName,
    plan: BoundaryPlan,
    lost: int,
    on_step: Callable[[Step], None],
    wait: float,
    on_wait: Callable[[str], None],
) -> RouteReport:
    """Search a route in workers of its own, with the hangs that are left."""
    with Supervisor(
        plan.device,
        plan.timeout,
        adaptive=True,
        variables=VARIABLES[route],
        wait=wait,
        on_wait=on_wait,
    ) as supervisor:
        return search_route(
            route,
            supervisor,
            max_side=plan.max_side,
            max_hangs=plan.max_hangs - lost,
            form=plan.form,
            on_step=on_step,
        )


def _where(
    supervisor: Supervisor, journal: Journal[CaseResult]
) -> tuple[DeviceInfo | None, Conditions]:
    """Device and conditions of now, or of the last session where nothing had to be run."""
    if supervisor.device is None and journal.sessions:
        last = journal.sessions[-1]
        return last.device, last.measured
    return supervisor.device, observe(supervisor.device, os.environ)


def _run(investigation: Investigation, max_hangs: int) -> str:
    """Search; return why it did not come to its end."""
    try:
        investigation.run()
    except HangBudgetError:
        return f"the hang budget of {max_hangs} is exhausted"
    except DeviceLostError as lost:
        return f"device lost: {lost.result.detail}"
    except KeyboardInterrupt:
        return INTERRUPTED
    return ""


class _Resumed:
    """Gives the results of earlier sessions first, in their order, and runs what they lack.

    The search is the same one each time, so it asks for the same cases again.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        journal: Journal[CaseResult],
        on_step: Callable[[Step], None],
        plan: BoundaryPlan,
    ) -> None:
        self._supervisor = supervisor
        self._journal = journal
        self._on_step = on_step
        self._plan = plan
        self._earlier = list(journal.max_hangs)
        self._begun = False
        self._seen: list[CaseResult] = []
        self._hurried: set[ConvCase] = set()
        self._known: dict[ConvCase, list[CaseResult]] = {}
        for result in journal.cases:
            self._known.setdefault(result.case, []).append(result)

    def __contains__(self, case: object) -> bool:
        """Tell whether a case hung under a shortened deadline, in any session."""
        return case in self._supervisor.hurried or case in self._hurried

    def max_hangs(self) -> int:
        """Return how many hangs were allowed when the next case was chosen, in whatever session.

        What is tried depends on it, so the search takes the same way again.
        """
        place = len(self._seen)
        earlier = self._earlier[place] if place < len(self._earlier) else None
        return self._plan.max_hangs if earlier is None else earlier

    def tell(self, step: Step) -> None:
        """Announce a case that has to be run."""
        if not self._known.get(step.case):
            self._on_step(step)

    def measure(self, case: ConvCase) -> CaseResult:
        """Return the result of a case."""
        known = bool(self._known.get(case))
        result = self._result(case, self._supervisor.run)
        if known and result.outcome == "hang" and 0 < result.seconds < self._plan.timeout:
            self._hurried.add(case)
        return result

    def confirm(self, case: ConvCase) -> CaseResult:
        """Return the result of a case that is given the full timeout."""
        return self._result(case, lambda each: self._supervisor.run(each, patient=True))

    def _result(self, case: ConvCase, run: Callable[[ConvCase], CaseResult]) -> CaseResult:
        known = self._known.get(case)
        result = known.pop(0) if known else self._run(case, run)
        self._seen.append(result)
        return result

    def _run(self, case: ConvCase, run: Callable[[ConvCase], CaseResult]) -> CaseResult:
        self._journal.start(case)
        try:
            result = _judged(run, case, self._seen)
        except DeviceLostError as lost:
            # What was not run because of a reset before it says nothing.
            if lost.result.outcome != "error":
                self._journal.add_case(lost.result)
            raise
        if not self._begun:
            measured = observe(self._supervisor.device, os.environ)
            self._journal.begin(measured, self._plan.max_hangs)
            self._begun = True
        self._journal.add_case(result)
        return result


def _judged(
    run: Callable[[ConvCase], CaseResult], case: ConvCase, earlier: Sequence[CaseResult]
) -> CaseResult:
    """Run a case; once more if it looks slow next to earlier ones, as the machine may be busy."""
    result = run(case)
    if assess(result, earlier).outcome == "slow":
        again = run(case)
        if again.outcome != "pass" or again.seconds < result.seconds:
            result = again
    return assess(result, earlier)
