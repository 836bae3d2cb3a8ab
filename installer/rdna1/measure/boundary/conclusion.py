"""What the cases say: the limit, the rule, and why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult
from rdna1.measure.boundary import layers
from rdna1.measure.boundary.choice import deciding_case
from rdna1.measure.boundary.investigation import bracket, reference_sides
from rdna1.measure.boundary.quantity import SIDE, WORKSPACE, Fit, Quantity, agreeing
from rdna1.measure.boundary.report import BoundaryResult, Rule

_RULES: dict[str, Rule] = {SIDE.name: "side", WORKSPACE.name: "workspace"}

# Attributes of a layer that a card may stumble over by themselves.
_TRAITS = ("dtype", "kh", "stride", "n")

_MOST_LISTED = 3


class _Finding(NamedTuple):
    """The rule and its reasons, as in `BoundaryResult`."""

    rule: Rule
    explanation: str
    fitted: Fit | None = None
    contradicting: Sequence[ConvCase] = ()
    deciding_case: ConvCase | None = None


def conclude(results: Sequence[CaseResult], max_side: int) -> BoundaryResult:
    """Read the result from the cases, however many there are.

    Args:
        results: in any order.
        max_side: as the search was given it.
    """
    passed, bad = reference_sides(results)
    safe, first_bad = bracket(results)
    found = _find(results, max_side)
    workspace = found.fitted if found.rule == "workspace" else None
    return BoundaryResult(
        safe_side=safe if safe and first_bad else None,
        first_bad_side=first_bad,
        first_bad_outcome=bad[first_bad] if first_bad else None,
        rule=found.rule,
        safe_workspace_bytes=workspace.largest_pass if workspace else None,
        first_bad_workspace_bytes=int(workspace.smallest_bad) if workspace else None,
        largest_side_tried=max(passed | set(bad), default=None),
        monotonic=not bad or max(passed, default=0) < min(bad),
        quantity=found.fitted.quantity.name if found.fitted else None,
        explanation=found.explanation,
        contradicting=list(found.contradicting),
        deciding_case=found.deciding_case,
    )


def _find(results: Sequence[CaseResult], max_side: int) -> _Finding:
    passed, bad = reference_sides(results)
    if not results:
        return _Finding("unknown", "nothing was measured")
    if all(result.outcome == "pass" for result in results):
        if max_side in passed:
            return _Finding("none", f"all {len(results)} cases passed")
        return _Finding("unknown", f"all {len(results)} cases passed, larger ones were not tried")
    if not passed:
        return _Finding("unknown", "nothing passes", contradicting=[r.case for r in results])
    if not bad:
        return _among_layers(results)
    if max(passed) > min(bad):
        return _not_monotonic(passed, min(bad))
    fits = agreeing(results)
    if len(fits) == 1:
        return _fitted(fits[0], len(results))
    return _undecided(fits, results, max_side) if fits else _refuted(results)


def _among_layers(results: Sequence[CaseResult]) -> _Finding:
    """Conclude where all sides of the reference layer passed, and another layer did not."""
    cases = [result.case for result in results if result.outcome != "pass"]
    text = "the reference layer passes at every side, other layers do not"
    return _Finding("unknown", text + _listed(cases), contradicting=cases)


def _not_monotonic(passed: set[int], first_bad: int) -> _Finding:
    above = min(side for side in passed if side > first_bad)
    return _Finding(
        "unknown",
        f"not monotonic: side {first_bad} does not pass and the larger side {above} does, so no "
        "limit on a size explains it",
        contradicting=[layers.reference(first_bad), layers.reference(above)],
    )


def _fitted(fitted: Fit, number: int) -> _Finding:
    name = fitted.quantity.name
    text = (
        f"of the quantities considered only the {name} explains all {number} cases: it passes up "
        f"to {fitted.largest_pass} and fails from {fitted.smallest_bad}"
    )
    return _Finding(_RULES.get(name, "unknown"), text, fitted)


def _undecided(fits: list[Fit], results: Sequence[CaseResult], max_side: int) -> _Finding:
    safe, bad = bracket(results)
    names = ", ".join(each.quantity.name for each in fits)
    case = None
    if bad == safe + 1:
        tested = [result.case for result in results]
        case = deciding_case(fits, layers.candidates(safe, max_side), tested)
    end = f"; {case.layer} would tell" if case else ""
    if not case and bad == safe + 1:
        end = f", and no affordable case up to side {max_side} tells them apart"
    return _Finding("unknown", f"these explain all cases: {names}{end}", deciding_case=case)


def _refuted(results: Sequence[CaseResult]) -> _Finding:
    """No quantity is left: name the rule that fewer cases contradict, and those cases."""
    against = {quantity: _contradicting(quantity, results) for quantity in (SIDE, WORKSPACE)}
    nearest = min(against, key=lambda quantity: len(against[quantity]))
    cases = against[nearest]
    text = f"no single quantity explains all cases; the {nearest.name} explains all but these"
    return _Finding("unknown", text + _listed(cases), contradicting=cases)


def _contradicting(quantity: Quantity, results: Sequence[CaseResult]) -> list[ConvCase]:
    """Return the fewest cases against a limit on a quantity that the reference layer agrees to."""
    safe, bad = bracket(results)
    low = quantity.measure(layers.reference(safe)) if safe else 0
    high = quantity.measure(layers.reference(bad)) if bad else math.inf
    values = {quantity.measure(result.case) for result in results}
    limits = [low, *sorted(value for value in values if low < value < high)]
    against = (
        [r.case for r in results if (quantity.measure(r.case) <= limit) == (r.outcome != "pass")]
        for limit in limits
    )
    return min(against, key=len)


def _listed(cases: Sequence[ConvCase]) -> str:
    shown = [case.layer for case in cases[:_MOST_LISTED]]
    more = f" and {len(cases) - len(shown)} more" if len(cases) > len(shown) else ""
    return f": {', '.join(shown)}{more}{_trait(cases)}"


def _trait(cases: Sequence[ConvCase]) -> str:
    """Return what all the cases have and the reference layer has not, if anything."""
    usual = layers.reference(1)
    common = []
    for name in _TRAITS:
        values = {getattr(case, name) for case in cases}
        if len(values) == 1 and values != {getattr(usual, name)}:
            common.append(f"{name} {values.pop()}")
    channels = [case.c_in for case in cases]
    if min(channels) > usual.c_in:
        common.append(f"{min(channels)} or more input channels")
    if max(channels) < usual.c_in:
        common.append(f"{max(channels)} or fewer input channels")
    return f"; common to them: {', '.join(common)}" if common else ""
