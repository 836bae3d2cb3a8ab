"""Whether the search for a boundary ever allows a layer that fails: random rules by the thousand.

Each rule is a device on which the layers fail that meet random conditions on up to two attributes
and exceed random limits on one or two quantities. Nothing is computed: the device's double says
whether a layer passes. The envelope is held against layers of networks, and against layers as no
class has them.

    python tests/bench/envelope.py --rules 2000
"""

from __future__ import annotations

import argparse
import os
import sys
from multiprocessing import Pool
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from support.rules import LAYERS, MAX_SIDE, ODD_LAYERS, Held, Rule, held, rules

_BATCH = 50


class Tried(NamedTuple):
    """A rule, and what came of it."""

    rule: str
    found: Held


def batch(number: int, size: int) -> list[Tried]:
    """Try some rules; the same ones for the same number."""
    tried: list[Tried] = []

    @seed(number)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(rules(), st.sampled_from((12, 12, *range(1, 12))))
    def one(rule: Rule, max_hangs: int) -> None:
        tried.append(Tried(f"{rule}, {max_hangs} hangs", held(rule.fails, max_hangs)))

    one()
    return tried


def main() -> None:
    """Try and print.

    Raises:
        SystemExit: an envelope allows a layer that fails.
    """
    parser = argparse.ArgumentParser(description="Random rules against the search for a boundary.")
    parser.add_argument("--rules", type=int, default=200, help="how many (default: %(default)s)")
    options = parser.parse_args()
    sizes = [min(_BATCH, options.rules - begun) for begun in range(0, options.rules, _BATCH)]
    with Pool(os.cpu_count()) as pool:
        tried = [each for found in pool.starmap(batch, enumerate(sizes)) for each in found]
    unsafe = [each for each in tried if each.found.unsafe]
    shares = [each.found.forbidden for each in tried]
    full = [each.found.forbidden for each in tried if each.rule.endswith(", 12 hangs")]
    print(
        f"{len(tried)} rules, {len({each.rule for each in tried})} of them different, maps up to "
        f"{MAX_SIDE} pixels, each held against {len(LAYERS)} layers of networks and "
        f"{len(ODD_LAYERS)} others"
    )
    print(f"{len(unsafe)} envelopes allow a layer that fails")
    print(
        f"forbidden in vain: median {median(shares):.1%}, mean {mean(shares):.1%} with 1 to 12 "
        f"hangs; median {median(full):.1%} with 12"
    )
    print(
        f"hangs: {mean(each.found.lost for each in tried):.1f} on average, "
        f"{max(each.found.lost for each in tried)} at most; "
        f"cases: median {median(each.found.cases for each in tried):.0f}"
    )
    for each in unsafe[:10]:
        print(f"  {each.rule}: {each.found.unsafe[0].label}")
    if unsafe:
        sys.exit(1)


if __name__ == "__main__":
    main()
