"""How long a case may take before it counts as hanging, judged by the cases that did not hang.

A hang costs the whole deadline, so a search that meets several should not wait the full timeout
each time. Cases have the full timeout until `FEWEST_RUNS` have passed. A later deadline can be
too short for one thing only: a first run that compiles far longer than all before it. Hence the
generous factor. Should it happen all the same, a case that works is taken for one that hangs,
and the limit is found too low, never too high; so the smallest map that hung under such a deadline
is tried once more with the full timeout (`rdna1.measure.boundary.investigation`). What a busy
machine does to a case is not counted in the first place (`rdna1.worker.given_time`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# First runs of the same size differ by whether a kernel has to be compiled.
FACTOR = 10.0

# One fast run says little about the next.
FEWEST_RUNS = 2

# A first run that loads a library from a slow disk, whatever those before it took.
FLOOR_SECONDS = 2.0


class Run(NamedTuple):
    """A first run that ended in time.

    Attributes:
        multiply_accumulates: of its case.
        seconds: that it took, transfers included.
    """

    multiply_accumulates: int
    seconds: float


def adaptive_deadline(multiply_accumulates: int, runs: Sequence[Run], timeout: float) -> float:
    """Deadline of a case from the runs before it.

    The slowest of them, in proportion for a case that is larger than all of them, times
    `FACTOR`. A smaller case gets no less, as small first runs are mostly compilation.

    Args:
        multiply_accumulates: of the case.
        runs: on the same device, in any order.
        timeout: upper bound, seconds.

    Returns:
        Seconds: at least `FLOOR_SECONDS` and at most ``timeout``, which goes first.
    """
    if len(runs) < FEWEST_RUNS:
        return timeout
    slowest = max(run.seconds for run in runs)
    largest = max(run.multiply_accumulates for run in runs)
    expected = slowest * max(1.0, multiply_accumulates / largest)
    return min(timeout, max(FLOOR_SECONDS, FACTOR * expected))
