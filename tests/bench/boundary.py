"""How long rdna1-validate boundary --quick takes on the recorded limit, against the first way.

The first investigation started a fresh Python for each of twelve sizes, which imported torch, and
killed it after 15 s. Both run here one after the other on the same simulated device, where maps of
more than 42 pixels hang. Each prints what it found: the first one is exact to two pixels. Then the
search runs once more where workspaces of more than 1 MiB hang. Both limits have to be exact.

    python tests/bench/boundary.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RULES = '- {when: "max(h, w) > 42", outcome: hang}\n'
WORKSPACE_RULES = '- {when: "workspace > 1048576", outcome: hang}\n'
EXACT = ((42, 43, "side"), (42, 43, "workspace"))
SIZES = (32, 36, 40, 42, 44, 46, 48, 50, 52, 56, 60, 64)
TIMEOUT_SECONDS = 15

ONE_SIZE = """
import sys
from pathlib import Path
from rdna1.conv.case import ConvCase
from rdna1.worker.device import SimulatedDevice
from rdna1.conv.reference import make_inputs
from rdna1.sim.rules import load_rules
rules, side = Path(sys.argv[1]), int(sys.argv[2])
case = ConvCase(16, 32, side, side, 3, 3, padding=1)
SimulatedDevice(load_rules(rules), rules).run(case, make_inputs(case))
print("OK")
"""


def passes(rules: Path, side: int) -> bool:
    """Whether a fresh process says OK in time."""
    command = [sys.executable, "-c", ONE_SIZE, str(rules), str(side)]
    try:
        done = subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return b"OK" in done.stdout


def one_process_a_size(rules: Path) -> str:
    """The limit as the first investigation found it."""
    passed = {side: passes(rules, side) for side in SIZES}
    safe = max(side for side in SIZES if passed[side])
    return f"{safe} passes, {min(side for side in SIZES if not passed[side])} hangs"


def search(rules: Path) -> str:
    """The limit as the command finds it, with its rule.

    Raises:
        SystemExit: it is not exact.
    """
    command = [
        sys.executable,
        "-m",
        "rdna1.cli.validate",
        "boundary",
        "--quick",
        "--format",
        "json",
    ]
    command += ["--device", f"sim:{rules}", "--timeout", str(TIMEOUT_SECONDS)]
    done = subprocess.run(command, check=True, capture_output=True)
    report = json.loads(done.stdout)
    result = report["result"]
    if (result["safe_side"], result["first_bad_side"], result["rule"]) not in EXACT:
        sys.exit(f"not exact: {result}")
    limit = f"{result['safe_side']} passes, {result['first_bad_side']} hangs"
    bytes_ = result["safe_workspace_bytes"]
    workspace = f" up to {bytes_} bytes" if bytes_ else ""
    hangs = report["workers_lost"]
    return f"{limit}, rule {result['rule']}{workspace}, {hangs} hangs, {len(report['cases'])} cases"


def main() -> None:
    """Measure and print."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.yml"
        rules.write_text(RULES, encoding="utf-8")
        for name, find in (("one process a size", one_process_a_size), ("boundary", search)):
            begun = time.monotonic()
            found = find(rules)
            seconds.append(time.monotonic() - begun)
            print(f"{name:20}{seconds[-1]:7.1f} s  {found}", flush=True)
        rules.write_text(WORKSPACE_RULES, encoding="utf-8")
        begun = time.monotonic()
        found = search(rules)
        print(f"{'boundary, 1 MiB':20}{time.monotonic() - begun:7.1f} s  {found}", flush=True)
    print(f"ratio {seconds[0] / seconds[1]:.1f}")


if __name__ == "__main__":
    main()
