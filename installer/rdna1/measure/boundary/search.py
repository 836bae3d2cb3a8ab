"""A search in which the two answers of a question do not cost the same.

A convolution that passes costs milliseconds. One that hangs costs its deadline, a new worker and
perhaps a reset of the card. Halving, which is best for equal costs, would hang in every second
step; counting up hangs once and takes a step for each value.

Let a pass cost 1 and a loss R. ``C(c)``, the most values among which a limit can be found at a
worst-case cost of c, follows from the first question: after a loss c - R is left for the values
below, after a pass c - 1 for those above, and the value asked is settled itself::

    C(c) = 0                          for c < R, as any question may be lost
    C(c) = C(c - R) + 1 + C(c - 1)    for c >= R

No strategy does better, by induction over c. This is the dynamic programme of the search for a
minimax cost, read backwards: one number for each cost instead of one for each pair of bounds.
For n values take the least c with C(c) >= n and ask the value ``C(c - R) + 1``: the bounds on
both sides hold, so the rest is again of the same kind. Few values are left below a question, and
many above: that is the bias towards the low side.

As c < R * (losses + 1), 592 values need at most two losses for the R chosen here.
"""

from __future__ import annotations

# A hang at the usual time limit of 15 s and a new worker that imports torch, against at most
# half a second for a case that passes: a large one's float64 reference takes that, and a new size
# took 0.3 s on a Radeon RX 5600 XT, however small (hkevin01/rocm-patch, README.md).
LOSS_COST = 32


def next_question(values: int) -> int:
    """Return which of ``values`` ordered values to try next.

    Args:
        values: how many are between the largest that passed and the smallest that did not; at
            least 1.

    Returns:
        The place of the value in their order, from 1.
    """
    coverage = _coverage(values)
    return min(values, coverage[max(len(coverage) - 1 - LOSS_COST, 0)] + 1)


def most_losses(values: int) -> int:
    """Return the most questions that can be lost until a limit among ``values`` is known."""
    return (len(_coverage(values)) - 1) // LOSS_COST


def _coverage(values: int) -> list[int]:
    """C(0) to C(c) for the least c with C(c) >= ``values``."""
    coverage = [0] * LOSS_COST
    while coverage[-1] < values:
        coverage.append(coverage[-LOSS_COST] + 1 + coverage[-1])
    return coverage
