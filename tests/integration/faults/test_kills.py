"""The short form of './run faults': two kills, which take what an undisturbed run takes thrice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
# apt-get killed alone, and the power lost; docs/reliability.md has the whole.
STEPS = ("--only=3", "--only=6")


def test_a_killed_run_ends_old_or_new(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "faults", "--seed=2", *STEPS, f"--output={tmp_path}"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PATH": path}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "illegal states: 0" in done.stdout
