"""Time that the machine gave to a process, which is what a deadline counts.

On a busy machine a convolution that takes milliseconds can take seconds, and is then no hang. Three
things are not counted:

- the time that a thread was ready to run and had no processor, which Linux counts for each
  (Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat). A process that waits for a card
  sleeps or computes; it is not among the ready ones, so a hang is as long as ever;
- the time in which a thread was stopped, by a signal or a tracer (proc_pid_stat(5));
- the time that this process itself was held up, be it by other programs, by a paused virtual
  machine or a frozen control group: whoever asks for a short wait and wakes up late knows.
  CLOCK_MONOTONIC stands still while the machine is suspended (clock_gettime(2)).

The same numbers tell whether the process does anything by itself: whoever compiles a kernel or
loads a library computes, waits for a processor, waits for a disk (state D), or starts and ends
threads. Where the kernel has no schedstat, a process is never taken for idle, and only the last of
the three is left out.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from rdna1.worker.reaper import descendants

# Short against any deadline, long against what looking at /proc takes.
SLICE_SECONDS = 0.2
# So that a deadline ends even where ever so many threads wait all the time.
_LEAST_SHARE = 0.05
# A thread that wakes up now and then to look around computes for a thousandth of the time.
_IDLE_SHARE = 0.02
_NANOSECONDS = 1e9
_STOPPED = frozenset("Tt")
_WAITS_FOR_A_DISK = "D"


class Thread(NamedTuple):
    """What a thread has done since its start.

    Attributes:
        ran: seconds on a processor.
        waited: seconds in which it was ready to run and had none.
        state: one letter, as in /proc/PID/stat; empty where it is not known.
    """

    ran: float
    waited: float
    state: str = ""


Threads = Mapping[tuple[int, int], Thread]


class GivenTime:
    """Counts the time that a process and its descendants were given.

    Args:
        pid: of the process.
        seconds: that were given before.

    Attributes:
        seconds: given until the last `tick`.
        idle: of these, the last ones without a break in which the processes did nothing.
    """

    def __init__(self, pid: int, seconds: float = 0.0) -> None:
        """Count from now on."""
        self.seconds = seconds
        self.idle = 0.0
        self._pid = pid
        self._threads = self._now()
        self._last = time.monotonic()

    def tick(self, asked: float) -> None:
        """Count what has passed since the last call.

        Args:
            asked: seconds after which this call was meant to come, at most.
        """
        threads, now = self._now(), time.monotonic()
        passed = min(now - self._last, asked)
        given = _LEAST_SHARE * passed
        if not any(each.state in _STOPPED for each in threads.values() if each.state):
            given = max(given, passed - waited_between(self._threads, threads))
        self.seconds += given
        self.idle = self.idle + given if is_idle(self._threads, threads, passed) else 0.0
        self._threads, self._last = threads, now

    def _now(self) -> Threads:
        return threads_of([self._pid, *descendants(self._pid)])


def threads_of(pids: Iterable[int]) -> Threads:
    """Return what each thread of some processes has done.

    Args:
        pids: of the processes; those that have ended are left out.

    Returns:
        By process and thread; empty where the kernel does not count.
    """
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - the names are all
                folder = f"/proc/{pid}/task/{thread}"
                with contextlib.suppress(OSError, IndexError):
                    ran, waited = Path(f"{folder}/schedstat").read_bytes().split()[:2]
                    # The name before it may hold anything, parentheses included.
                    state = Path(f"{folder}/stat").read_text("latin-1").rpartition(") ")[2][0]
                    found[pid, int(thread)] = Thread(
                        int(ran) / _NANOSECONDS, int(waited) / _NANOSECONDS, state
                    )
    return found


def waited_between(before: Threads, after: Threads) -> float:
    """Seconds that all threads together have waited between two looks at them."""
    return sum(
        max(0.0, each.waited - (before[thread].waited if thread in before else 0.0))
        for thread, each in after.items()
    )


def is_idle(before: Threads, after: Threads, seconds: float) -> bool:
    """Return whether threads did nothing between two looks at them.

    Args:
        before: the first look.
        after: the second.
        seconds: between them.
    """
    if not after or before.keys() != after.keys():
        return False
    if any(each.state in (*_STOPPED, _WAITS_FOR_A_DISK) for each in after.values()):
        return False
    used = sum(
        each.ran + each.waited - before[thread].ran - before[thread].waited
        for thread, each in after.items()
    )
    return used < _IDLE_SHARE * seconds
