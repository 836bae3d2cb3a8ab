"""Which candidate is best: correctness first, then the envelope, then speed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rdna1.measure.tune.report import Trial

# Times closer than this are the same: a machine is never quite idle.
_SAME_SPEED = 1.25


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that passed, the best first; equal ones in the order given."""
    passed = [trial for trial in trials if trial.status == "passed"]
    fastest = min((t.warm_seconds for t in passed if t.warm_seconds), default=1.0)
    return sorted(passed, key=lambda trial: (*_envelope(trial), _slowness(trial, fastest)))


def safe_side(trial: Trial) -> float:
    """Return largest safe side of the reference layer in pixels; infinite without a limit."""
    if trial.boundary is None:
        return 0
    if trial.boundary.rule == "none":
        return math.inf
    return trial.boundary.safe_side or (
        trial.boundary.largest_side_tried or 0 if trial.boundary.first_bad_side is None else 0
    )


def _envelope(trial: Trial) -> tuple[float, bool]:
    """Return smaller is better: the side, then whether what is beyond shows itself by failing."""
    return -safe_side(trial), any(each.outcome == "wrong" for each in trial.boundary_cases)


def _slowness(trial: Trial, fastest: float) -> int:
    if not trial.warm_seconds:
        return 1_000_000
    return int(math.log(trial.warm_seconds / fastest, _SAME_SPEED))
