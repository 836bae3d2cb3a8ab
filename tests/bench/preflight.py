"""How long rdna1-preflight takes, against one bare apt-cache policy, and how much memory.

The two run in turns; the medians and their difference count. Memory is that of the Python
process alone, without apt-cache, which maps its cache of packages.

    python tests/bench/preflight.py [ROUNDS]
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

PEAK = """
import resource, sys
from rdna1.cli.preflight import main
main([])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def timed(command: Sequence[str]) -> float:
    """Seconds of a command, whatever its verdict."""
    start = time.monotonic()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def peak_mebibytes() -> float:
    """Most memory that the Python process held at once, in MiB."""
    done = subprocess.run([sys.executable, "-c", PEAK], check=True, capture_output=True, text=True)
    return int(done.stderr) / 1024


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    preflight = shutil.which("rdna1-preflight") or sys.exit("rdna1-preflight is not on the path")
    commands = {"apt-cache policy": ["apt-cache", "policy"], "rdna1-preflight": [str(preflight)]}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            seconds[name].append(timed(command))
    bare, ours = (statistics.median(each) for each in seconds.values())
    print(f"medians of {rounds} rounds")
    print(f"  apt-cache policy  {bare:.3f} s")
    print(f"  rdna1-preflight   {ours:.3f} s, {ours - bare:+.3f} s")
    print(f"  peak memory of the Python process {peak_mebibytes():.1f} MiB")


if __name__ == "__main__":
    main()
