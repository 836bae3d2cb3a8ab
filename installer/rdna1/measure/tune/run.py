"""Try candidates one after the other, whatever happens on the way."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from rdna1.catalog.stacks import Stack
from rdna1.conv.case import ConvCase
from rdna1.conv.result import RIGHT, CaseResult, DeviceInfo, UnusableDeviceError
from rdna1.measure.boundary.conclusion import conclude
from rdna1.measure.boundary.investigation import HangBudgetError, Investigation
from rdna1.measure.conditions import observe
from rdna1.measure.head import INTERRUPTED
from rdna1.measure.smoke import is_required, smoke_cases
from rdna1.measure.tune.candidate import (
    Candidate,
    changes,
    environment_of,
    reason_against,
    worker_variables,
)
from rdna1.measure.tune.ranking import ranked
from rdna1.measure.tune.report import Trial, TuneReport
from rdna1.worker.supervisor import DeviceLostError, Supervisor

# Ordinary layers within every documented limit, each so often; the best run counts.
_TIMED = (
    ConvCase(16, 32, 42, 42, 3, 3, padding=1),
    ConvCase(16, 32, 42, 42, 3, 3, padding=1, direction="backward"),
    ConvCase(64, 128, 42, 42, 3, 3, stride=2, padding=1),
)
_REPEATS = 3


class TunePlan(NamedTuple):
    """What to try, and within which bounds.

    Attributes:
        device: as `rdna1.worker.supervisor.Supervisor` takes it.
        timeout: seconds for each case on the device, at most.
        max_side: no map is higher or wider, in pixels.
        max_hangs: lost workers after which nothing is tried any more.
        stack: whose environment the candidates change.
        wait: seconds to wait for another run that has the device.
    """

    device: str
    timeout: float
    max_side: int
    max_hangs: int
    stack: Stack
    wait: float


Step = Callable[[Candidate, ConvCase, int], None]


def run_tune(
    plan: TunePlan, candidates: Sequence[Candidate], on_step: Step, on_wait: Callable[[str], None]
) -> TuneReport:
    """Try candidates until the end, the last hang allowed, the loss of the device, or Ctrl-C.

    Args:
        plan: the bounds.
        candidates: at least one; the first one is always tried, and says what the device is.
        on_step: called before each case with the candidate and the workers lost so far.
        on_wait: told who has the device.

    Raises:
        rdna1.conv.result.UnusableDeviceError: the first candidate does not find the device.
    """
    begun = time.monotonic()
    trials: list[Trial] = []
    tried: list[Candidate] = []
    device: DeviceInfo | None = None
    stopped = ""
    for number, candidate in enumerate(candidates):
        lost = sum(trial.workers_lost for trial in trials)
        reason = reason_against(candidate, plan.stack, device, tried) if device else ""
        if not reason and (stopped or lost >= plan.max_hangs):
            stopped = stopped or f"the hang budget of {plan.max_hangs} is exhausted"
            reason = stopped
        if reason:
            trials.append(_trial(candidate, plan.stack, status="left out", reason=reason))
            continue
        # What a candidate leaves unused is there for those after it.
        share = -(-(plan.max_hangs - lost) // (len(candidates) - number))
        attempt = _Attempt(candidate, _on(plan, device), share, lost, on_step)
        stopped = attempt.run(on_wait, is_first=device is None)
        tried.append(candidate)
        trials.append(attempt.trial())
        device = device or attempt.device
    return _report(plan, trials, device, stopped, time.monotonic() - begun)


def _on(plan: TunePlan, device: DeviceInfo | None) -> TunePlan:
    """Give the plan for the device that the first candidate found: not the CPU where it is lost."""
    if plan.device != "auto" or device is None:
        return plan
    return plan._replace(device=device.type)


class _Attempt:
    """One candidate: correctness, then its limit, then its speed, in fresh workers."""

    def __init__(
        self, candidate: Candidate, plan: TunePlan, share: int, lost_before: int, on_step: Step
    ) -> None:
        self.device: DeviceInfo | None = None
        self._candidate = candidate
        self._plan = plan
        self._share = share
        self._lost_before = lost_before
        self._on_step = on_step
        self._found: dict[str, Any] = {"correctness": [], "status": "partial"}

    def run(self, on_wait: Callable[[str], None], *, is_first: bool) -> str:
        """Try it.

        Returns:
            Why no other candidate should be tried, empty if others should.

        Raises:
            UnusableDeviceError: the device does not exist, and it is the first candidate.
        """
        begun = time.monotonic()
        plan = self._plan
        variables = worker_variables(environment_of(self._candidate, plan.stack), plan.stack)
        stopped = ""
        supervisor = Supervisor(
            plan.device,
            plan.timeout,
            adaptive=True,
            variables=variables,
            wait=plan.wait,
            on_wait=on_wait,
        )
        try:
            with supervisor:
                stopped = self._within(supervisor)
        except UnusableDeviceError as error:
            if is_first:
                raise
            self._found |= {"status": "failed", "reason": str(error)}
        self.device = supervisor.device
        self._found |= {
            "device": supervisor.device,
            "workers_lost": supervisor.workers_lost,
            "wall_seconds": time.monotonic() - begun,
        }
        return stopped

    def trial(self) -> Trial:
        """Return what is known by now."""
        return _trial(self._candidate, self._plan.stack, **self._found)

    def _within(self, supervisor: Supervisor) -> str:
        try:
            if self._is_correct(supervisor):
                self._find_limit(supervisor)
                self._found["warm_seconds"] = self._time(supervisor)
                self._found["status"] = "passed"
        except DeviceLostError as lost:
            self._found["reason"] = f"device lost: {lost.result.detail}"
            if supervisor.device is None:
                # No worker starts with these variables; with others one may.
                self._found["status"] = "failed"
                return ""
            return str(self._found["reason"])
        except KeyboardInterrupt:
            self._found["reason"] = INTERRUPTED
            return INTERRUPTED
        return ""

    def _is_correct(self, supervisor: Supervisor) -> bool:
        """Run the smoke test in float32 up to the first case that fails."""
        for case in filter(is_required, smoke_cases(self._plan.max_side)):
            result = self._measure(supervisor, case)
            self._found["correctness"].append(result)
            if result.outcome not in RIGHT:
                reason = f"{result.case.label}: {result.outcome} {result.detail}".strip()
                self._found |= {"status": "failed", "reason": reason}
                return False
        return True

    def _find_limit(self, supervisor: Supervisor) -> None:
        """Search with the candidate's share of hangs; what is known when they are exhausted counts.

        Cases are written down in the usual memory format, in which the search knows them.
        """
        doubtful: set[ConvCase] = set()

        def measure(case: ConvCase, *, patient: bool = False) -> CaseResult:
            try:
                result = self._measure(supervisor, case, patient=patient)
            except DeviceLostError as lost:
                lost.result = msgspec.structs.replace(lost.result, case=case)
                raise
            if result.case in supervisor.hurried:
                doubtful.add(case)
            return msgspec.structs.replace(result, case=case)

        search = Investigation(
            measure,
            self._plan.max_side,
            lambda: self._share,
            lambda _: None,
            doubtful=doubtful,
            confirm=functools.partial(measure, patient=True),
        )
        try:
            search.run()
        except HangBudgetError:
            pass
        finally:
            self._found["boundary_cases"] = search.cases
            if search.cases:
                self._found["boundary"] = conclude(search.cases, self._plan.max_side)

    def _time(self, supervisor: Supervisor) -> float | None:
        """Return seconds of `_TIMED` together, None when one of them does not pass."""
        total = 0.0
        for case in _TIMED:
            results = [self._measure(supervisor, case) for _ in range(_REPEATS)]
            if any(result.outcome not in RIGHT for result in results):
                return None
            total += min(result.seconds for result in results)
        return total

    def _measure(
        self, supervisor: Supervisor, case: ConvCase, *, patient: bool = False
    ) -> CaseResult:
        applied = self._candidate.applied(case)
        self._on_step(self._candidate, applied, self._lost_before + supervisor.workers_lost)
        return supervisor.run(applied, patient=patient)


def _trial(candidate: Candidate, stack: Stack, **found: Any) -> Trial:
    known = candidate.miopen_profile == "default" or candidate.miopen_profile in (
        stack.miopen_profiles
    )
    environment = environment_of(candidate, stack) if known else {}
    usual = dict(stack.environment.variables)
    return Trial(
        candidate=candidate.name,
        title=candidate.title,
        effect=candidate.effect,
        source=candidate.source,
        program=candidate.program,
        variables=environment,
        changes=changes(environment, usual) if known else [],
        **found,
    )


def _report(
    plan: TunePlan, trials: list[Trial], device: DeviceInfo | None, stopped: str, seconds: float
) -> TuneReport:
    order = ranked(trials)
    by_variables = [trial.candidate for trial in order if not trial.program]
    return TuneReport(
        device=device,
        stack=plan.stack.name,
        trials=trials,
        ranking=[trial.candidate for trial in order],
        winner=order[0].candidate if order else None,
        for_role=by_variables[0] if by_variables else None,
        complete=not stopped,
        stopped=stopped,
        max_side=plan.max_side,
        max_hangs=plan.max_hangs,
        workers_lost=sum(trial.workers_lost for trial in trials),
        wall_seconds=seconds,
        measured=observe(device, os.environ),
    )
