"""Random legal convolutions, forward, backward and twice backward, under the guard and without it.

    python tests/bench/guard_cases.py --cases 5000
    python tests/bench/guard_cases.py --cases 5000 --mistake halo
    python tests/bench/guard_cases.py --cases 1000 --device cuda

The cases are those of tests/unit/guard, compared in float64 and counted by how they were computed.
With a mistake planted, as by a patch of the source, the case is printed that noticed it.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import torch
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "installer"), str(ROOT / "tests")]

from rdna1.guard import Envelope  # noqa: E402 - found by the path above
from rdna1.guard.layer import Layer  # noqa: E402 - as above
from rdna1.guard.plan import Plan  # noqa: E402 - as above
from rdna1.guard.setting import Guard  # noqa: E402 - as above
from support.guarded import (  # noqa: E402 - as above
    MISTAKES,
    Call,
    assert_same,
    calls,
    envelopes,
    planted,
)


def main() -> None:
    """Compare, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--mistake", choices=sorted(MISTAKES), help="that is planted first")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    # The tensors are small: more threads take longer to wake than they save.
    torch.set_num_threads(1)
    begun = time.monotonic()
    counts: dict[str, Counter[str]] = {"call": Counter(), "computed": Counter()}

    def record(layer: Layer, plan: Plan) -> None:
        by = f" by {plan.route}" if plan.route else ""
        counts["computed"][f"{layer.direction} {plan.kind}{by}"] += 1

    @seed(options.seed)
    @settings(
        max_examples=options.cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(calls(), envelopes(), st.sampled_from([1, 2000, 10_000_000]))
    def compare(call: Call, envelope: Envelope, memory: int) -> None:
        name = f"conv{'_transpose' if call.transposed else ''}{call.dims}d"
        counts["call"][name] += 1
        moved = call.to(torch.device(options.device))
        assert_same(moved, Guard(envelope, memory_bytes=memory, record=record))

    def compared() -> None:
        if not options.mistake:
            compare()
            return
        with planted(options.mistake):
            compare()

    try:
        compared()
    except (AssertionError, RuntimeError) as error:
        number = sum(counts["call"].values())
        print(f"case {number} is wrong: {str(error).splitlines()[0]}")
        sys.exit(1)
    for subject, found in counts.items():
        text = ", ".join(f"{number} {name}" for name, number in sorted(found.items()))
        print(f"{subject}: {text}")
    print(
        f"{sum(counts['call'].values())} cases on {options.device} agree with torch "
        f"{torch.__version__} in values, gradients and second gradients, "
        f"{time.monotonic() - begun:.0f} s"
    )


if __name__ == "__main__":
    main()
