"""What results allow: the layers that are contained in one that passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rdna1.conv.case import ConvCase, Dims, MemoryFormat
from rdna1.conv.limits import QUANTITIES, Box, Limit, contained_in
from rdna1.conv.result import CaseResult
from rdna1.measure.boundary.limit_list import limits_of

# Dimensions, whether transposed, memory format.
FormKey = tuple[Dims, bool, MemoryFormat]

# The layers that `limits` of a file are about; those of other forms have limits of their own.
PLAIN: FormKey = (2, False, "contiguous")


class Allowed(NamedTuple):
    """What results say about layers of one form.

    Attributes:
        boxes: layers that are contained in one that passed.
        caps: by quantity, what no layer may exceed: there, larger layers pass and smaller fail.
    """

    boxes: list[Box]
    caps: dict[str, int]

    def __contains__(self, case: object) -> bool:
        """Whether a layer is allowed."""
        return (
            isinstance(case, ConvCase)
            and any(case in box for box in self.boxes)
            and all(QUANTITIES[name](case) <= most for name, most in self.caps.items())
        )


def worst(results: Iterable[CaseResult]) -> dict[ConvCase, bool]:
    """Each case, and whether it passed each time."""
    found: dict[ConvCase, bool] = {}
    for result in results:
        found[result.case] = found.get(result.case, True) and result.outcome == "pass"
    return found


def contradictory(results: Iterable[CaseResult]) -> list[ConvCase]:
    """Cases that passed one time and did not another time."""
    outcomes: dict[ConvCase, set[bool]] = {}
    for result in results:
        outcomes.setdefault(result.case, set()).add(result.outcome == "pass")
    return [case for case, seen in outcomes.items() if len(seen) > 1]


def form_of(case: ConvCase) -> FormKey:
    """Dimensions, whether transposed, memory format: what `limits` do not tell apart."""
    return case.dims, case.transposed, case.memory_format


def allowed(results: Iterable[CaseResult]) -> dict[FormKey, Allowed]:
    """What is allowed, by form.

    Where a layer fails that is contained in one that passes, size is not what decides. Then no
    layer is allowed that is as large in any respect as the smallest that fails so.
    """
    outcomes = worst(results)
    forms: dict[FormKey, Allowed] = {}
    for form in dict.fromkeys(map(form_of, outcomes)):
        passed = [case for case, good in outcomes.items() if good and form_of(case) == form]
        failed = [case for case, good in outcomes.items() if not good and form_of(case) == form]
        forms[form] = _allowed(passed, failed)
    return forms


def _allowed(passed: Sequence[ConvCase], failed: Sequence[ConvCase]) -> Allowed:
    boxes = _largest(passed)
    odd = [case for case in failed if any(case in box for box in boxes)]
    caps = {
        name: min(measure(case) for case in odd) - 1 for name, measure in QUANTITIES.items() if odd
    }
    return Allowed(boxes, caps)


def _largest(passed: Sequence[ConvCase]) -> list[Box]:
    """The boxes of layers that are contained in no other's."""
    ordered = sorted(passed, key=lambda case: -case.n * case.c_in * case.c_out * case.h * case.w)
    boxes: list[Box] = []
    for case in ordered:
        if not any(case in box for box in boxes):
            boxes.append(contained_in(case))
    return boxes


def limits_for(form: FormKey, found: Allowed) -> list[Limit]:
    """The limits of the layers of a form, as a file holds them; none without a layer that passed.

    They are complete: what no layer stands for exceeds one of them.
    """
    if not found.boxes:
        return [Limit("side", 0)]
    return [
        *(Limit(name, most) for name, most in found.caps.items()),
        *limits_of(found.boxes, absent=_ABSENT[form[0]]),
    ]


_ABSENT: dict[Dims, tuple[str, ...]] = {
    1: ("kd", "kh", "depth", "h"),
    2: ("kd", "depth"),
    3: (),
}
