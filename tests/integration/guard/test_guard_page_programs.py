"""The commands of docs/guard.md that run a program under the guard."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.shown_commands import ROOT, Shown, matches, shown_commands

# Stands for the user's own.
PROGRAM = "import torch; torch.nn.Conv2d(1, 2, 3)(torch.rand(1, 1, 64, 64))"
SHOWN = [s for s in shown_commands(ROOT / "docs" / "guard.md") if s.words[0] == "python"]


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.line)
def test_a_command_of_the_page_does_what_it_shows(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "train.py").write_text(PROGRAM)
    envelope = tmp_path / ".config" / "rdna1" / "envelope.json"
    envelope.parent.mkdir(parents=True)
    envelope.symlink_to(ROOT / "docs" / "guard-envelope.json")
    done = subprocess.run(
        [sys.executable, *shown.words[1:]],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ("--kill" in shown.words), done.stderr
    if shown.output:
        assert matches(shown.output, done.stdout + done.stderr), done.stdout + done.stderr
