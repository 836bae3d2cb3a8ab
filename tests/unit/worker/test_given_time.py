"""What a deadline counts: the time that the machine gave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from rdna1.worker import given_time
from rdna1.worker.given_time import GivenTime, thread_waits, waited_between

COMPUTE = "while True: pass"


@pytest.fixture
def crowded() -> Iterator[int]:
    """Id of a process that computes on a processor which it shares with another."""
    processor = min(os.sched_getaffinity(0))

    def start() -> subprocess.Popen[bytes]:
        run = subprocess.Popen([sys.executable, "-S", "-c", COMPUTE])
        os.sched_setaffinity(run.pid, {processor})
        return run

    with start() as one, start() as other:
        yield one.pid
        one.kill()
        other.kill()


def test_waiting_for_a_processor_is_not_counted(crowded: int) -> None:
    clock = GivenTime(crowded)
    before, begun = thread_waits([crowded]), time.monotonic()
    while waited_between(before, thread_waits([crowded])) < 0.2:
        assert time.monotonic() < begun + 60
        time.sleep(0.05)
    clock.tick(60)
    assert clock.seconds < time.monotonic() - begun - 0.15


def test_of_a_process_that_sleeps_all_is_counted() -> None:
    with subprocess.Popen(["sleep", "600"]) as run:
        clock = GivenTime(run.pid, 1.0)
        time.sleep(0.3)
        clock.tick(60)
        run.kill()
    assert clock.seconds >= 1.2


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time on the clock, and what one thread has waited by then."""
    now = [100.0, 0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(given_time, "thread_waits", lambda _: {(1, 1): now[1]})
    yield now


def test_what_held_up_this_process_is_not_counted(clock: list[float]) -> None:
    given = GivenTime(1)
    clock[0] += 50
    given.tick(0.25)
    clock[0] += 0.125
    given.tick(0.25)
    assert given.seconds == 0.375


def test_a_deadline_ends_on_the_busiest_machine(clock: list[float]) -> None:
    given = GivenTime(1)
    clock[0] += 1
    clock[1] += 8
    given.tick(1)
    assert given.seconds == 0.05


def test_a_kernel_that_counts_nothing_is_no_error() -> None:
    assert thread_waits([2**22 + 1]) == {}
    assert waited_between({}, {}) == 0
