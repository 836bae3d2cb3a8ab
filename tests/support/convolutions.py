"""A double of a device: it computes nothing and answers as a condition on the case says."""

from __future__ import annotations

from collections.abc import Callable

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult, ConvOutcome
from rdna1.measure.boundary.conclusion import conclude
from rdna1.measure.boundary.investigation import HangBudgetError, Investigation
from rdna1.measure.boundary.kinds import Form
from rdna1.measure.boundary.report import BoundaryCase, BoundaryResult

Measure = Callable[[ConvCase], CaseResult]


def pretend(fails: Callable[[ConvCase], bool], outcome: ConvOutcome = "hang") -> Measure:
    """A measuring function that measures nothing: ``outcome`` where ``fails``, else pass."""
    return lambda case: CaseResult(case, outcome if fails(case) else "pass", 0.0)


def investigate(
    measure: Measure, max_side: int = 512, max_hangs: int = 12, form: Form | None = None
) -> tuple[BoundaryResult, list[BoundaryCase]]:
    """Run the search to its end, or to that of its budget."""
    investigation = Investigation(measure, max_side, lambda: max_hangs, lambda _: None, form)
    try:
        investigation.run()
    except HangBudgetError:
        assert losses(investigation.cases) == max_hangs
    return conclude(investigation.cases, max_side), investigation.cases


def losses(cases: list[BoundaryCase]) -> int:
    """How many of the cases would have cost a worker."""
    return sum(each.outcome in ("hang", "crash") for each in cases)
