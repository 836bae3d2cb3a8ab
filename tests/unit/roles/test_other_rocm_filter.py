"""The filter of the role rocm, with facts as Ansible passes them to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_packages_of_another_source_are_named() -> None:
    parts = [
        {"source": "distro", "name": "rocminfo", "version": "5.7.1-3build1"},
        {"source": "amd", "name": "hip-runtime-amd", "version": "5.7.31921.50701-98~22.04"},
    ]
    # Within a fact, as values that Ansible finds when they are asked for.
    facts = {"facts": {"rocm": parts}}
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible"),
            "localhost",
            "--module-name=debug",
            "--args=msg={{ facts['rocm'] | rdna1_other_rocm('amd', '5.7.1') }}",
            f"--extra-vars={json.dumps(facts)}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rocminfo" in done.stdout
    assert "hip-runtime-amd" not in done.stdout
