"""Deadlines that follow from what has passed."""

from __future__ import annotations

import pytest

from rdna1.worker.deadline import FACTOR, FEWEST_RUNS, FLOOR_SECONDS, Run, adaptive_deadline

TIMEOUT = 15.0


@pytest.mark.parametrize(
    ("work", "runs", "deadline"),
    [
        (100, [], TIMEOUT),
        (100, [Run(100, 0.001)] * (FEWEST_RUNS - 1), TIMEOUT),
        (100, [Run(100, 0.001)] * FEWEST_RUNS, FLOOR_SECONDS),
        (100, [Run(100, 0.5)] * FEWEST_RUNS, FACTOR * 0.5),
        (200, [Run(100, 0.5)] * FEWEST_RUNS, FACTOR * 1.0),
        # A smaller case gets no less: its first run may compile as long.
        (1, [Run(100, 0.5)] * FEWEST_RUNS, FACTOR * 0.5),
        # The slowest counts, and the largest is the measure.
        (200, [Run(1, 0.5), Run(50, 0.1), Run(100, 0.1)], FACTOR * 1.0),
        (10_000, [Run(100, 0.5)] * FEWEST_RUNS, TIMEOUT),
        (100, [Run(100, 60.0)] * FEWEST_RUNS, TIMEOUT),
    ],
)
def test_deadline(work: int, runs: list[Run], deadline: float) -> None:
    assert adaptive_deadline(work, runs, TIMEOUT) == pytest.approx(deadline)


def test_a_timeout_below_the_floor_stands() -> None:
    assert adaptive_deadline(1, [Run(1, 0.1)] * FEWEST_RUNS, 0.5) == 0.5
