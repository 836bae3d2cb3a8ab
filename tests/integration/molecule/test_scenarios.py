"""Every Molecule scenario from beginning to end; molecule/README.md says what each shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCENARIOS = sorted(file.parent.name for file in ROOT.glob("molecule/*/molecule.yml"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    """Takes minutes: check mode, two real runs and a comparison of the whole machine each.

    All of them have a controller with a hard umask, as hardened machines do.
    """
    log = ROOT / ".cache" / "molecule" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    molecule = str(Path(sys.executable).with_name("molecule"))
    # Molecule starts a pytest that is not a worker of this one.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            [molecule, "test", "--scenario-name", name],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
            umask=0o077,
        )
    assert done.returncode == 0, log.read_text(encoding="utf-8")
