"""How long a first and a second run of site.yml take, against a plain script.

The plain script installs the same packages with one apt-get and runs one convolution. Both start
from a fresh box of the sandbox, one after the other, three times; medians and their ratio count. A
second run finds that nothing was changed; it is timed as it is, and measuring again all the same.

    python tests/bench/first_run.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rdna1.catalog.repositories import distribution
from rdna1.catalog.stacks import DEFAULT_STACK, load_stack

ROOT = Path(__file__).parents[2]
BOX = "rdna1-sandbox"
CONVOLUTION = (
    "import torch; "
    "torch.nn.functional.conv2d(torch.randn(1, 16, 42, 42), torch.randn(32, 16, 3, 3))"
)
INSTALL = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends"]


def packages() -> list[str]:
    """What site.yml installs on the sandbox's Debian 13."""
    stack = load_stack(DEFAULT_STACK)
    rocm = stack.packages("distro", "debian", "13")
    assert rocm
    own = distribution().own_requirements
    return [*rocm.names(), *stack.pytorch.distro_packages, *own]


def timed(command: Sequence[str]) -> float:
    """Seconds of a command that has to succeed."""
    start = time.monotonic()
    subprocess.run(
        command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - start


def fresh_box() -> None:
    """Replace the box by one that nothing was installed on."""
    for verb in ("remove", "create"):
        subprocess.run([ROOT / "sandbox" / "box", verb, BOX], check=True)
    # What the run before left to be written must not slow the next one down.
    os.sync()


def plain_script() -> float:
    """Seconds for apt-get and one convolution."""
    inside = ["podman", "exec", "--env", "DEBIAN_FRONTEND=noninteractive", BOX]
    install = timed([*inside, *INSTALL, *packages()])
    return install + timed([*inside, "python3", "-c", CONVOLUTION])


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    site = [program, "-i", "inventory/sandbox.yml", "site.yml"]
    names = ("plain script", "first run", "second run", "measuring again")
    figures: dict[str, list[float]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        fresh_box()
        figures["plain script"].append(plain_script())
        fresh_box()
        figures["first run"].append(timed(site))
        figures["second run"].append(timed(site))
        again = [*site, "--extra-vars=validate_again=true"]
        figures["measuring again"].append(timed(again))
        print(f"round {number}:", *(f"{name} {s[-1]:.1f} s" for name, s in figures.items()))
    medians = {name: statistics.median(seconds) for name, seconds in figures.items()}
    print(f"{os.cpu_count()} cores, medians of {rounds} rounds")
    for name, seconds in medians.items():
        print(f"  {name:<15} {seconds:6.1f} s")
    print(f"  first run / plain script {medians['first run'] / medians['plain script']:.2f}")


if __name__ == "__main__":
    main()
