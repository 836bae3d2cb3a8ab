"""Time that the machine gave to a process, which is what a deadline counts.

On a busy machine a convolution that takes milliseconds can take seconds, and is then no hang. Two
things are not counted:

- the time that a thread was ready to run and had no processor, which Linux counts for each
  (Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat). A process that waits for a card
  sleeps or computes; it is not among the ready ones, so a hang is as long as ever;
- the time that this process itself was held up, be it by other programs, by a paused virtual
  machine or a frozen control group: whoever asks for a short wait and wakes up late knows.
  CLOCK_MONOTONIC stands still while the machine is suspended (clock_gettime(2)).

Where the kernel has no schedstat, only the second is left out.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from rdna1.worker.reaper import descendants

# Short against any deadline, long against what looking at /proc takes.
SLICE_SECONDS = 0.2
# So that a deadline ends even where ever so many threads wait all the time.
_LEAST_SHARE = 0.05
_NANOSECONDS = 1e9

ThreadWaits = Mapping[tuple[int, int], float]


class GivenTime:
    """Counts the time that a process and its descendants were given.

    Args:
        pid: of the process.
        seconds: that were given before.

    Attributes:
        seconds: given until the last `tick`.
    """

    def __init__(self, pid: int, seconds: float = 0.0) -> None:
        """Count from now on."""
        self.seconds = seconds
        self._pid = pid
        self._waits = self._now()
        self._last = time.monotonic()

    def tick(self, asked: float) -> None:
        """Count what has passed since the last call.

        Args:
            asked: seconds after which this call was meant to come, at most.
        """
        waits, now = self._now(), time.monotonic()
        passed = min(now - self._last, asked)
        waited = waited_between(self._waits, waits)
        self.seconds += max(passed - waited, _LEAST_SHARE * passed)
        self._waits, self._last = waits, now

    def _now(self) -> ThreadWaits:
        return thread_waits([self._pid, *descendants(self._pid)])


def thread_waits(pids: Iterable[int]) -> ThreadWaits:
    """Seconds that each thread of some processes has waited for a processor since its start.

    Args:
        pids: of the processes; those that have ended are left out.

    Returns:
        By process and thread; empty where the kernel does not count.
    """
    waits = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - the names are all
                with contextlib.suppress(OSError, IndexError):
                    words = Path(f"/proc/{pid}/task/{thread}/schedstat").read_bytes().split()
                    waits[pid, int(thread)] = int(words[1]) / _NANOSECONDS
    return waits


def waited_between(before: ThreadWaits, after: ThreadWaits) -> float:
    """Seconds that all threads together have waited between two looks at them."""
    return sum(max(0.0, seconds - before.get(thread, 0.0)) for thread, seconds in after.items())
