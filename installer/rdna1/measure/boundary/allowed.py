"""What results allow: the layers that are contained in one that passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rdna1.conv.case import ConvCase, Dims, MemoryFormat
from rdna1.conv.limits import LEAST, QUANTITIES, Box, Limit, between, contained_in
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
        """Tell whether a layer is allowed."""
        return (
            isinstance(case, ConvCase)
            and any(case in box for box in self.boxes)
            and all(QUANTITIES[name](case) <= most for name, most in self.caps.items())
        )


def worst(results: Iterable[CaseResult]) -> dict[ConvCase, bool]:
    """Return each case, and whether it passed each time."""
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


def allowed(results: Iterable[CaseResult], *, tries_less: bool = False) -> dict[FormKey, Allowed]:
    """Return what is allowed, by form.

    Where a layer fails that is contained in one that passes, less of something is what fails, few
    channels perhaps, or size is not what decides. Then layers are allowed that lie between two of
    a class that passed, with no more of anything than the one and no less than the other; and none
    that is as large in any respect as the smallest that fails so. The same holds of a class in
    which no layer with least of everything passed, if the search tries one in each.

    Args:
        results: of any layers.
        tries_less: whether the search tries a layer with least of everything in each class, so that
            one that is absent was too risky, or was not come to.
    """
    outcomes = worst(results)
    forms: dict[FormKey, Allowed] = {}
    for form in dict.fromkeys(map(form_of, outcomes)):
        passed = [case for case, good in outcomes.items() if good and form_of(case) == form]
        failed = [case for case, good in outcomes.items() if not good and form_of(case) == form]
        forms[form] = _allowed(passed, failed, tries_less)
    return forms


def _allowed(passed: Sequence[ConvCase], failed: Sequence[ConvCase], tries_less: bool) -> Allowed:
    largest = _largest(passed)
    boxes = [contained_in(case) for case in largest]
    odd = [case for case in failed if any(case in box for box in boxes)]
    caps = {
        name: min(measure(case) for case in odd) - 1 for name, measure in QUANTITIES.items() if odd
    }
    if odd:
        return Allowed(_between(passed), caps)
    unknown = [
        case
        for members in _classes(passed).values()
        if tries_less and not _has_least(members)
        for case in members
    ]
    known = [box for case, box in zip(largest, boxes, strict=True) if case not in unknown]
    return Allowed([*known, *_between(unknown)], caps)


def _has_least(members: Sequence[ConvCase]) -> bool:
    """Tell whether a layer of a class passed that has the fewest channels and no padding."""
    groups = min(case.groups for case in members)
    return any(case.c_in <= 2 * groups and case.padding == 0 for case in members)


def _largest(passed: Sequence[ConvCase]) -> list[ConvCase]:
    """Return the layers that are contained in no other one."""
    ordered = sorted(passed, key=lambda case: -case.n * case.c_in * case.c_out * case.h * case.w)
    found: list[ConvCase] = []
    boxes: list[Box] = []
    for case in ordered:
        if not any(case in box for box in boxes):
            boxes.append(contained_in(case))
            found.append(case)
    return found


def _between(passed: Sequence[ConvCase]) -> list[Box]:
    """Return the layers that lie between two of a class that passed."""
    found: list[Box] = []
    for members in _classes(passed).values():
        least = [
            case
            for case in members
            if not any(other != case and _less(other, case) for other in members)
        ]
        boxes = [
            between(one, other)
            for other in _largest(members)
            for one in dict.fromkeys((other, *least))
            if all(getattr(one, name) <= getattr(other, name) for name in LEAST)
            and (one.n == 1) == (other.n == 1)
        ]
        found += [
            box
            for number, box in enumerate(boxes)
            if not any(box.within(other) for other in boxes[:number])
            and not any(box.within(other) and box != other for other in boxes[number + 1 :])
        ]
    return found


def _classes(passed: Iterable[ConvCase]) -> dict[tuple[object, ...], list[ConvCase]]:
    found: dict[tuple[object, ...], list[ConvCase]] = {}
    for case in passed:
        found.setdefault(tuple(getattr(case, name) for name in _SAME), []).append(case)
    return found


_SAME = ("kh", "kw", "kd", "stride", "dilation", "groups", "dtype", "direction")
_MAP = ("h", "w", "depth")


def _less(one: ConvCase, other: ConvCase) -> bool:
    """Tell whether a layer stands for less of everything than another one, on a map as large."""
    return (
        all(getattr(one, name) <= getattr(other, name) for name in LEAST)
        and all(getattr(one, name) >= getattr(other, name) for name in _MAP)
        and (one.n == 1) == (other.n == 1)
    )


def limits_for(form: FormKey, found: Allowed) -> list[Limit]:
    """Return a form's limits, as a file holds them; none without a layer that passed.

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
