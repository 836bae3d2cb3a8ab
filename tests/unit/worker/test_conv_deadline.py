"""Deadlines that follow from what has passed."""

from __future__ import annotations

import pytest

from rdna1.worker.deadline import (
    FACTOR,
    FEWEST_RUNS,
    FLOOR_SECONDS,
    IDLE_FLOOR_SECONDS,
    Deadline,
    Run,
    adaptive_deadline,
)

TIMEOUT = 15.0
FAST = [Run(100, 0.001)] * FEWEST_RUNS


@pytest.mark.parametrize(
    ("work", "runs", "deadline"),
    [
        (100, [], TIMEOUT),
        (100, FAST[1:], TIMEOUT),
        (100, FAST, FLOOR_SECONDS),
        (100, [Run(100, 0.5)] * FEWEST_RUNS, FACTOR * 0.5),
        (200, [Run(100, 0.5)] * FEWEST_RUNS, FACTOR * 1.0),
        # A smaller case gets no less: its first run may compile as long.
        (1, [Run(100, 0.5)] * FEWEST_RUNS, FACTOR * 0.5),
        # The slowest counts; what a larger case takes follows from the fastest for their size.
        (200, [Run(1, 0.5), Run(50, 0.1), Run(100, 0.1)], FACTOR * 0.5),
        (600, [Run(1, 0.5), Run(50, 0.1), Run(100, 0.1)], FACTOR * 0.6),
        (10_000, [Run(100, 0.5)] * FEWEST_RUNS, TIMEOUT),
        (100, [Run(100, 60.0)] * FEWEST_RUNS, TIMEOUT),
    ],
)
def test_deadline(work: int, runs: list[Run], deadline: float) -> None:
    assert adaptive_deadline(work, runs, TIMEOUT).seconds == pytest.approx(deadline)


def test_a_timeout_below_the_floor_stands() -> None:
    assert adaptive_deadline(1, [Run(1, 0.1)] * FEWEST_RUNS, 0.5) == Deadline(0.5, 0.5)


@pytest.mark.parametrize(
    ("runs", "patient", "deadline"),
    [
        # Of a device of which little is known an idle process is not a sign of a hang.
        ([], False, Deadline(TIMEOUT, TIMEOUT)),
        ([], True, Deadline(TIMEOUT, TIMEOUT)),
        (FAST, False, Deadline(FLOOR_SECONDS, IDLE_FLOOR_SECONDS)),
        (FAST, True, Deadline(TIMEOUT, TIMEOUT)),
        ([Run(100, 0.5)] * FEWEST_RUNS, True, Deadline(TIMEOUT, TIMEOUT)),
    ],
)
def test_how_long_a_process_may_be_idle(runs: list[Run], patient: bool, deadline: Deadline) -> None:
    assert adaptive_deadline(100, runs, TIMEOUT, patient=patient) == pytest.approx(deadline)
