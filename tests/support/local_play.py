"""Plays against this machine, with the configuration of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def play_here(
    text: str, folder: Path, *options: str, environment: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """Run a playbook with this process's Python.

    Args:
        text: of the playbook, in which FOLDER stands for the folder.
        folder: for the playbook and its files.
        options: of ansible-playbook.
        environment: variables, to which the one is added that forbids colours.
    """
    playbook = folder / "play.yml"
    playbook.write_text(text.replace("FOLDER", str(folder)))
    return subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "--inventory=localhost,",
            "--connection=local",
            f"--extra-vars=ansible_python_interpreter={sys.executable}",
            playbook,
            *options,
        ],
        cwd=ROOT,
        env={**environment, "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
