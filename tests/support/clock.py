"""Times and memory of functions on a device, and reports of them, for benchmarks."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

Run = Callable[[], object]
Way = Callable[[], AbstractContextManager[Any]]
_MIB = 1024 * 1024
_UNCOUNTED = 5


class Clock:
    """Times functions on a device."""

    def __init__(self, device: torch.device, repeats: int) -> None:
        self.device, self.repeats = device, repeats

    def milliseconds(self, run: Run, *, repeats: int | None = None) -> float:
        """Median of several runs after a few that are not counted."""
        number = repeats or self.repeats
        for _ in range(min(_UNCOUNTED, number)):
            run()
        seconds = statistics.median(self._seconds(run, 1) for _ in range(number))
        return round(seconds * 1000, 4)

    def in_turn(
        self,
        runs: Mapping[str, Run],
        within: Mapping[str, Way] | None = None,
        *,
        repeats: int | None = None,
        in_a_row: int = 1,
    ) -> dict[str, float]:
        """Medians in milliseconds of several runs by turns: a host slows down for all of them.

        Before each are a few that are not counted: what ran last is what Python runs fastest.

        Args:
            runs: what is timed.
            within: what is entered before one of them and left after it, outside of its time.
            repeats: how often.
            in_a_row: runs that do not wait for the device one by one; each is a part of their time.
        """
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(repeats or self.repeats):
            for name, run in runs.items():
                with (within or {}).get(name, nullcontext)():
                    for _ in range(_UNCOUNTED):
                        run()
                    times[name].append(self._seconds(run, in_a_row) / in_a_row * 1000)
        return {name: round(statistics.median(each), 4) for name, each in times.items()}

    def _seconds(self, run: Run, number: int) -> float:
        self._wait()
        start = time.perf_counter()
        for _ in range(number):
            run()
        self._wait()
        return time.perf_counter() - start

    def on_gpu(self, run: Run, repeats: int = 5) -> float:
        """Return the milliseconds of a run in which a CUDA device is at work, by torch's profiler.

        What it waits for the next kernel is not in it, so a slow host does not count.
        """
        for _ in range(2):
            run()
        with profile(activities=[ProfilerActivity.CUDA]) as found:
            for _ in range(repeats):
                run()
            self._wait()
        events: list[Any] = list(found.events())
        kernels = [
            each.time_range.elapsed_us() for each in events if each.device_type.name == "CUDA"
        ]
        if not kernels:
            raise RuntimeError("torch's profiler saw no kernel")
        return float(round(sum(kernels) / repeats / 1000, 4))

    def peak(self, run: Run) -> float | None:
        """Peak of the device's memory in MiB; None on a CPU."""
        if self.device.type != "cuda":
            return None
        run()
        # BLAS keeps 32 MiB from an earlier function on.
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        run()
        return round(torch.cuda.max_memory_allocated() / _MIB, 1)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def commit_of(folder: Path) -> str:
    """Commit of the sources in a folder, with a word if they were changed since."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def processor_name() -> str:
    """Model of the processor, as the kernel names it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "CPU")


def geometric_mean(rows: list[dict[str, Any]], name: str, of: str) -> float:
    """Geometric mean of a ratio over rows."""
    logs = [math.log(row[name] / row[of]) for row in rows]
    return round(math.exp(sum(logs) / len(logs)), 3)


def report(found: dict[str, Any], file: Path | None) -> None:
    """Write what was measured as JSON to a file, or print it."""
    text = json.dumps(found, indent=2) + "\n"
    if file:
        file.write_text(text)
    else:
        print(text, end="")
