"""What a deadline counts: the time that the machine gave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from rdna1.worker import given_time
from rdna1.worker.given_time import GivenTime, Thread, is_idle, threads_of, waited_between

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
    before, begun = threads_of([crowded]), time.monotonic()
    while waited_between(before, threads_of([crowded])) < 0.2:
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
    assert clock.idle >= 0.2


def test_a_process_that_computes_or_waits_for_a_processor_is_not_idle(crowded: int) -> None:
    clock = GivenTime(crowded)
    for _ in range(3):
        time.sleep(0.1)
        clock.tick(60)
        assert clock.idle == 0


def test_a_stopped_process_is_given_next_to_nothing() -> None:
    with subprocess.Popen(["sleep", "600"]) as run:
        run.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, run.pid, os.WSTOPPED)
        clock = GivenTime(run.pid)
        time.sleep(0.3)
        clock.tick(0.3)
        run.kill()
    assert clock.seconds == pytest.approx(0.3 * 0.05)
    assert clock.idle == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time on the clock, and what one thread has waited by then."""
    now = [100.0, 0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(given_time, "threads_of", lambda _: {(1, 1): Thread(0.0, now[1])})
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
    assert threads_of([2**22 + 1]) == {}
    assert waited_between({}, {}) == 0
    assert not is_idle({}, {}, 1.0)


SLEEPS = Thread(1.0, 2.0, "S")


@pytest.mark.parametrize(
    ("after", "idle"),
    [
        ({(1, 1): SLEEPS}, True),
        ({(1, 1): SLEEPS._replace(ran=1.01)}, True),
        ({(1, 1): SLEEPS._replace(ran=1.1)}, False),
        ({(1, 1): SLEEPS._replace(waited=2.1)}, False),
        # It waits for a disk, or was stopped.
        ({(1, 1): SLEEPS._replace(state="D")}, False),
        ({(1, 1): SLEEPS._replace(state="T")}, False),
        # A compiler has started, or ended.
        ({(1, 1): SLEEPS, (2, 2): Thread(0.0, 0.0, "S")}, False),
        ({(2, 2): SLEEPS}, False),
    ],
)
def test_what_idle_means(after: dict[tuple[int, int], Thread], idle: bool) -> None:
    assert is_idle({(1, 1): SLEEPS}, after, 1.0) is idle
