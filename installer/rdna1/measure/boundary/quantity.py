"""Quantities of a convolution that may decide whether it works, and what the cases say of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from rdna1.conv.case import BYTES_PER_ELEMENT, ConvCase
from rdna1.conv.result import CaseResult


class Quantity(NamedTuple):
    """A number that every case has.

    Attributes:
        name: for reports.
        measure: the number of a case.
        weight: how likely it is beforehand that this one decides, as a share.
    """

    name: str
    measure: Callable[[ConvCase], int]
    weight: float


SIDE = Quantity("side", lambda case: max(case.h, case.w), 4.0)
WORKSPACE = Quantity("workspace", lambda case: case.workspace_bytes, 4.0)

# The first two are the readings of the first recorded measurements. Those of the others that
# count channels or bytes tell whether channels and dtype matter.
QUANTITIES = (
    SIDE,
    WORKSPACE,
    Quantity("area", lambda case: case.h * case.w, 1.0),
    Quantity("shorter side", lambda case: min(case.h, case.w), 1.0),
    Quantity("height", lambda case: case.h, 1.0),
    Quantity("width", lambda case: case.w, 1.0),
    Quantity("workspace elements", lambda case: _workspace_elements(case), 1.0),
    Quantity("input elements", lambda case: math.prod(case.input_shape), 1.0),
    Quantity("input bytes", lambda case: _bytes(case, case.input_shape), 1.0),
    Quantity("output elements", lambda case: math.prod(case.output_shape), 1.0),
    Quantity("output bytes", lambda case: _bytes(case, case.output_shape), 1.0),
)


class Fit(NamedTuple):
    """What the cases say about one quantity: the limit lies between the two bounds.

    Attributes:
        quantity: whose limit it is.
        largest_pass: of the cases that passed, -1 without one.
        smallest_bad: of the cases that did not, infinite without one.
    """

    quantity: Quantity
    largest_pass: int
    smallest_bad: float

    @property
    def agrees(self) -> bool:
        """Whether some limit on the quantity explains all cases."""
        return self.largest_pass < self.smallest_bad

    def expects(self, value: int) -> bool | None:
        """Tell whether a case of this value should pass; None where that is not known."""
        if value <= self.largest_pass:
            return True
        return False if value >= self.smallest_bad else None


@functools.lru_cache(maxsize=65536)
def values_of(case: ConvCase) -> Mapping[str, int]:
    """Return what each quantity is of a case; each step of a search asks about the same cases."""
    return {each.name: each.measure(case) for each in QUANTITIES}


def fit(quantity: Quantity, results: Iterable[CaseResult]) -> Fit:
    """Find the bounds that the results put on the limit of a quantity."""
    largest_pass, smallest_bad = -1, math.inf
    for result in results:
        value = quantity.measure(result.case)
        if result.outcome == "pass":
            largest_pass = max(largest_pass, value)
        else:
            smallest_bad = min(smallest_bad, value)
    return Fit(quantity, largest_pass, smallest_bad)


def agreeing(results: Iterable[CaseResult]) -> list[Fit]:
    """Return the quantities a limit on which explains all results."""
    listed = list(results)
    return [each for each in (fit(q, listed) for q in QUANTITIES) if each.agrees]


def _workspace_elements(case: ConvCase) -> int:
    return case.workspace_bytes // BYTES_PER_ELEMENT[case.dtype]


def _bytes(case: ConvCase, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * BYTES_PER_ELEMENT[case.dtype]
