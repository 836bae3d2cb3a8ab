"""Which case tells the remaining explanations apart at the least expected cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

from rdna1.conv.case import ConvCase
from rdna1.measure.boundary.quantity import Fit, values_of
from rdna1.measure.boundary.search import LOSS_COST


def deciding_case(
    fits: Sequence[Fit], cases: Iterable[ConvCase], tested: Sequence[ConvCase]
) -> ConvCase | None:
    """Choose the case on whose outcome the fits disagree with the most gain for its cost.

    The gain is the entropy, in bits, of the outcome under the weights of the quantities; the
    cost that of `rdna1.measure.boundary.search`. Among equals the case is taken whose longer side
    is farthest from all tested ones, so that it also tries sides not seen before.

    Args:
        fits: at least two that agree with all results.
        cases: to choose from.
        tested: at least one; none of them is chosen.

    Returns:
        The case, None when the fits expect the same of all cases.
    """
    done = set(tested)
    sides = {max(case.h, case.w) for case in tested}

    # Cases are thousands; the answers that the fits give together, and the sides, are a few dozen.
    @functools.cache
    def value_of(expected: tuple[bool | None, ...]) -> float:
        return _value(fits, expected)

    @functools.cache
    def distance_of(longest: int) -> float:
        return min(abs(math.log(longest / side)) for side in sides)

    best, best_key = None, (0.0, 0.0)
    for case in cases:
        values = values_of(case)
        value = value_of(tuple([each.expects(values[each.quantity.name]) for each in fits]))
        if value < best_key[0] or value == 0 or case in done:
            continue
        distance = distance_of(max(case.h, case.w))
        if (value, distance) > best_key:
            best, best_key = case, (value, distance)
    return best


def _value(fits: Sequence[Fit], expected: Sequence[bool | None]) -> float:
    """Bits for each unit of cost of what the fits expect, rounded so that equal ones stay equal."""
    weights = {True: 0.0, False: 0.0, None: 0.0}
    for each, answer in zip(fits, expected, strict=True):
        weights[answer] += each.quantity.weight
    decided = weights[True] + weights[False]
    if not weights[True] or not weights[False]:
        return 0.0
    share = weights[False] / decided
    entropy = -share * math.log2(share) - (1 - share) * math.log2(1 - share)
    gain = entropy * decided / (decided + weights[None])
    return round(gain / (1 + LOSS_COST * share), 9)
