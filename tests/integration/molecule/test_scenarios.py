"""Every Molecule scenario from beginning to end; molecule/README.md says what each shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCENARIOS = sorted(file.parent.name for file in ROOT.glob("molecule/*/molecule.yml"))
# Of these the controller has a hard umask, as hardened machines do; tests/integration/box has the
# other ways of installing: provisioned, and test_offline.py. Other scenarios build packages for
# their archives, which dpkg-deb refuses to do under it.
UMASK_077 = ("user-scope",)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    """Takes minutes: check mode, two real runs and a comparison of the whole machine each."""
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
            umask=0o077 if name in UMASK_077 else 0o022,
        )
    assert done.returncode == 0, log.read_text(encoding="utf-8")
