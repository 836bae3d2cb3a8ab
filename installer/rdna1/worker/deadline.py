"""How long a case may take before it counts as hanging, by what the cases took that did not hang.

A hang costs the whole deadline, so a search that meets several should not wait the full timeout
each time. Cases have the full timeout until `FEWEST_RUNS` have passed. A later deadline can be
too short for one thing only: a first run that compiles far longer than all before it. Hence the
generous factor. Should it happen all the same, a case that works is taken for one that hangs,
and the limit is found too low, never too high; so a map whose hang would be the limit has the full
timeout, or is tried once more with it (`rdna1.measure.boundary.investigation`). What a busy machine
does to a case is not counted in the first place (`rdna1.worker.given_time`).

Nor does a shortened deadline wait so long for a process that does nothing by itself: one that
compiles or loads computes, waits for a processor or for a disk. What sleeps on end waits for the
device alone, and that has had many times what it took for any case before. The full timeout is full
for such a process, too: what decides a limit is not hurried.
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

# The same without any loading.
IDLE_FLOOR_SECONDS = 1.0


class Run(NamedTuple):
    """A first run that ended in time.

    Attributes:
        multiply_accumulates: of its case.
        seconds: that it took, transfers included.
    """

    multiply_accumulates: int
    seconds: float


class Deadline(NamedTuple):
    """When a case counts as hanging.

    Attributes:
        seconds: that it may take.
        idle: how many of them on end its process may do nothing.
    """

    seconds: float
    idle: float


def adaptive_deadline(
    multiply_accumulates: int, runs: Sequence[Run], timeout: float, *, patient: bool = False
) -> Deadline:
    """Deadline of a case from the runs before it.

    `FACTOR` times the slowest of them, or what the fastest of them lead to expect of a larger
    case (as in `rdna1.measure.slowness`): a small first run is mostly compilation, which a larger
    one takes no longer. So a smaller case gets no less, either.

    Args:
        multiply_accumulates: of the case.
        runs: on the same device, in any order.
        timeout: upper bound, seconds.
        patient: whether much depends on the case: then it may take the timeout, whatever its
            process does.

    Returns:
        At least `FLOOR_SECONDS`, `IDLE_FLOOR_SECONDS` of them idle, and at most ``timeout``, which
        goes first.
    """
    if patient or len(runs) < FEWEST_RUNS:
        return Deadline(timeout, timeout)
    slowest = max(run.seconds for run in runs)
    computing = min(
        run.seconds * max(1.0, multiply_accumulates / run.multiply_accumulates) for run in runs
    )
    expected = FACTOR * max(slowest, computing)
    seconds = min(timeout, max(FLOOR_SECONDS, expected))
    return Deadline(seconds, min(seconds, max(IDLE_FLOOR_SECONDS, expected)))
