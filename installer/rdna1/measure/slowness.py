"""Which right results came later than they should have.

A device sets its own standard. Where it has done case j in t_j seconds, a roofline (Williams,
Waterman and Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009)
bounds what case i may take by the scarcer of its two resources, arithmetic and memory traffic::

    t_j * max(1, macs_i / macs_j, bytes_i / bytes_j)

The 1 grants a smaller case all that the larger one took, as starting a kernel costs the same for
both. Disturbances only ever add time, so of the bounds from all cases the smallest is nearest to
what the device can do; it is the expected time.

A case is slow when it takes more than `FACTOR` times that, and more than `FLOOR_SECONDS`. Kernels
for odd shapes reach a small part of the arithmetic that others do, hence the factor. The floor
is for noise: small cases take milliseconds. What a process waits for a processor on a busy machine
is not counted; of the time of the other cases a tenth at least is, as threads that wait for a
device may want a processor, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import RIGHT, CaseResult

R = TypeVar("R", bound=CaseResult)

FACTOR = 10.0
FLOOR_SECONDS = 0.75


def expected_seconds(case: ConvCase, results: Sequence[CaseResult]) -> float | None:
    """Return time within which a device should do a case.

    Args:
        case: any.
        results: what the same device took. Those that are right and of the case's dtype count.

    Returns:
        Seconds, None when no result counts.
    """
    return min(
        (
            max(_own(other), other.seconds / FACTOR) * _work_ratio(case, other.case)
            for other in results
            if other.outcome in RIGHT and other.case.dtype == case.dtype
        ),
        default=None,
    )


def mark_slow(results: Sequence[R]) -> list[R]:
    """Assess the results of one run of one device.

    Args:
        results: of one device in one process environment. Their seconds must not contain the
            compilation of kernels.

    Returns:
        The same in the same order; those that passed and are slow have the outcome ``slow`` and
        a detail that says by how much.
    """
    # Its own time is among the bounds and never makes a result slow.
    return [assess(result, results) for result in results]


def assess(result: R, others: Sequence[CaseResult]) -> R:
    """Assess a result as `mark_slow` does.

    Args:
        result: that passed, or did not.
        others: of the same run.
    """
    own = _own(result)
    if result.outcome != "pass" or own <= FLOOR_SECONDS:
        return result
    expected = expected_seconds(result.case, others)
    if expected is None:
        return result
    if own <= FACTOR * expected:
        return result
    detail = f"took {own:.2g} s; {expected:.2g} s is what the other cases lead to expect"
    return msgspec.structs.replace(result, outcome="slow", detail=detail)


def _own(result: CaseResult) -> float:
    return result.seconds - result.waited_seconds


def _work_ratio(case: ConvCase, other: ConvCase) -> float:
    """Return how many times as long a device may take for a case as for another one."""
    return max(
        1.0,
        case.multiply_accumulates / other.multiply_accumulates,
        case.tensor_bytes / other.tensor_bytes,
    )
