"""The search itself: which case comes next, given what the cases before it said."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import LOSSES, CaseResult, ConvOutcome
from rdna1.measure.boundary import layers
from rdna1.measure.boundary.choice import deciding_case
from rdna1.measure.boundary.kinds import Form
from rdna1.measure.boundary.quantity import SIDE, WORKSPACE, agreeing, fit
from rdna1.measure.boundary.report import BoundaryCase, Purpose
from rdna1.measure.boundary.search import LOSS_COST, next_question
from rdna1.measure.boundary.survey import Survey
from rdna1.worker.supervisor import DeviceLostError

Measure = Callable[[ConvCase], CaseResult]


class HangBudgetError(Exception):
    """As many workers are lost as were allowed."""


class Step(NamedTuple):
    """What is about to be run, for users who wait.

    Attributes:
        case: the case.
        purpose: why it is run.
        lost: workers lost so far.
        subject: what is decided: the class of layers, empty for the reference layer.
        safe: largest side of the reference layer that passed, 0 before one did.
        bad: smallest side that did not, None before there is one.
    """

    case: ConvCase
    purpose: Purpose
    subject: str
    lost: int
    safe: int
    bad: int | None


class Investigation:
    """Runs cases until the boundary and its rule are known.

    Args:
        measure: runs a case.
        max_side: no map is higher or wider, in pixels.
        max_hangs: no case is run after so many lost workers; asked before each.
        on_step: called before each case.
        form: which classes of layers are tried after the reference layer; None tries none.
        doubtful: cases that hung under a shortened deadline, as they come up.
        confirm: runs a case with the full timeout: such a case once more, or one whose hang would
            be a limit.

    Attributes:
        cases: what was run, in order, but a hang that was not confirmed; complete up to any
            exception that leaves `run`.
    """

    def __init__(
        self,
        measure: Measure,
        max_side: int,
        max_hangs: Callable[[], int],
        on_step: Callable[[Step], None],
        form: Form | None = None,
        doubtful: Container[ConvCase] = (),
        confirm: Measure | None = None,
    ) -> None:
        """Start with no case."""
        self.cases: list[BoundaryCase] = []
        self._measure = measure
        self._max_side = max_side
        self._max_hangs = max_hangs
        self._on_step = on_step
        self._form = form
        self._doubtful = doubtful
        self._confirm = confirm or measure
        self._confirmed: set[ConvCase] = set()
        self._lost = 0
        self._reference: list[CaseResult] = []

    def run(self) -> None:
        """Find the limit, look below and beyond it, decide the rule, then try all classes.

        Raises:
            HangBudgetError: the hangs that are allowed are used up.
            DeviceLostError: from ``measure``; its result is among the cases.
        """
        self._search()
        safe, bad = self._bracket()
        self._try(map(layers.reference, layers.sides_below(safe)), "below", self._confirm)
        self._search()
        safe, bad = self._bracket()
        if bad is not None and safe:
            self._explain(safe)
        if self._form and self._bracket()[0]:
            self._survey(self._form)

    def _search(self) -> None:
        """Narrow the limit of the reference layer to one pixel, by a hang that is confirmed."""
        self._narrow()
        while self._is_refuted():
            self._narrow()

    def _is_refuted(self) -> bool:
        """Tell whether the smallest map that hung in a shortened time passes in the full one.

        Raises:
            HangBudgetError: another hang is not allowed.
        """
        _, bad = self._bracket()
        case = layers.reference(bad) if bad else None
        if case is None or case not in self._doubtful or case in self._confirmed:
            return False
        self._confirmed.add(case)
        self._run(case, "search", "once more, with the full timeout", self._confirm)
        if self.cases[-1].outcome != "pass":
            return False
        self.cases[:] = [e for e in self.cases if e.case != case or e.outcome == "pass"]
        self._reference[:] = [e for e in self._reference if e.case != case or e.outcome == "pass"]
        return True

    def _narrow(self) -> None:
        """Narrow the limit of the reference layer to one pixel."""
        if not self.cases:
            self._run(layers.reference(1), "search")
            # Does nothing pass, or only this not?
            if self._bracket() == (0, 1) and self._max_side > 1:
                self._run(layers.reference(1 + next_question(self._max_side - 1)), "search")
        safe, bad = self._bracket()
        while bad != 1 and (bad or self._max_side + 1) - safe > 1:
            values = (bad or self._max_side + 1) - safe - 1
            # Most cards have no limit: the last few large maps are not tried one by one. That
            # costs a second hang where one was enough.
            nearly_all = bad is None and values < min(safe, LOSS_COST + 1)
            step = values if nearly_all else next_question(values)
            # The next pixel decides at once: so it need not be run again.
            patience = self._confirm if step == 1 and safe else None
            self._run(layers.reference(safe + step), "search", measure=patience)
            safe, bad = self._bracket()

    def _explain(self, safe: int) -> None:
        """Decide the rule, and try to refute it by layers that it calls safe.

        Args:
            safe: largest side at which the reference layer passes.
        """
        self._decide(layers.candidates(safe, self._max_side))
        if [each.quantity for each in agreeing(self.cases)] != [SIDE]:
            # Only the side is decided by maps far higher and far wider than the limit that failed.
            beyond = layers.side_beyond(safe, self._max_side)
            self._try([layers.reference(beyond)] if beyond else [], "beyond")
        if [each.quantity for each in agreeing(self.cases)] == [WORKSPACE]:
            self._refine()

    def _survey(self, form: Form) -> None:
        """Try layers of all classes."""
        survey = Survey(self._passes, lambda: self._max_hangs() - self._lost, self._max_side)
        for each in self.cases:
            survey.add(each.case, passed=each.outcome == "pass")
        safe, bad = self._bracket()
        survey.run(form, [safe] if bad else [])

    def _passes(self, case: ConvCase, name: str, *, patient: bool) -> bool:
        self._run(case, "classes", name, self._confirm if patient else None)
        return self.cases[-1].outcome == "pass"

    def _decide(self, candidates: Iterable[ConvCase]) -> None:
        """Run the cases that tell rules apart while there is more than one rule."""
        while len(fits := agreeing(self.cases)) > 1:
            case = deciding_case(fits, candidates, [each.case for each in self.cases])
            if case is None:
                return
            self._run(case, "decide")

    def _refine(self) -> None:
        """Narrow the limit of the workspace to two neighbouring layers."""
        while (fitted := fit(WORKSPACE, self.cases)).agrees:
            between = layers.workspaces_between(
                fitted.largest_pass, fitted.smallest_bad, self._max_side
            )
            if not between:
                return
            self._run(between[next_question(len(between)) - 1], "refine")

    def _try(
        self, cases: Iterable[ConvCase], purpose: Purpose, measure: Measure | None = None
    ) -> None:
        """Run the cases that have not been run yet."""
        done = {each.case for each in self.cases}
        for case in cases:
            if case not in done:
                self._run(case, purpose, measure=measure)

    def _run(
        self,
        case: ConvCase,
        purpose: Purpose,
        subject: str = "",
        measure: Measure | None = None,
    ) -> None:
        if self._lost >= self._max_hangs():
            raise HangBudgetError
        safe, bad = self._bracket()
        self._on_step(Step(case, purpose, subject, self._lost, safe, bad))
        try:
            self._record((measure or self._measure)(case), purpose)
        except DeviceLostError as lost:
            self._record(lost.result, purpose)
            raise

    def _record(self, result: CaseResult, purpose: Purpose) -> None:
        self._lost += result.outcome in LOSSES
        if layers.is_reference(result.case):
            self._reference.append(result)
        fields = msgspec.structs.asdict(result)
        self.cases.append(BoundaryCase(**fields, purpose=purpose))

    def _bracket(self) -> tuple[int, int | None]:
        return bracket(self._reference)


def bracket(results: Iterable[CaseResult]) -> tuple[int, int | None]:
    """Largest side of the reference layer that passed below the smallest that did not.

    Returns:
        The two sides; 0 and None where there is no such side.
    """
    passed, bad = reference_sides(results)
    first_bad = min(bad, default=None)
    below = (side for side in passed if first_bad is None or side < first_bad)
    return max(below, default=0), first_bad


def reference_sides(results: Iterable[CaseResult]) -> tuple[set[int], dict[int, ConvOutcome]]:
    """Sides of the reference layer that passed, and the outcomes at those that did not."""
    passed: set[int] = set()
    bad: dict[int, ConvOutcome] = {}
    for result in results:
        if not layers.is_reference(result.case):
            continue
        if result.outcome == "pass":
            passed.add(result.case.h)
        else:
            bad[result.case.h] = result.outcome
    return passed, bad
