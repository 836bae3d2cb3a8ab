"""What Ansible says of a machine that fails it gets a cause and a remedy; the errors are real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
PLAY = """\
- name: Ask the machine
  hosts: all
  gather_facts: false
  tasks:
    - name: Ask
      ansible.builtin.ping:
"""


def played(folder: Path, **variables: str) -> str:
    """What a play against this machine prints, which has to fail."""
    playbook = folder / "play.yml"
    playbook.write_text(PLAY)
    given = [f"--extra-vars={name}={value}" for name, value in variables.items()]
    config = folder / "ansible.cfg"
    config.touch()
    plugins = ROOT / "installer/ansible_plugins/callback"
    done = subprocess.run(
        [PROGRAM, "--inventory=box,", "--connection=local", *given, str(playbook)],
        # Without ansible.cfg: the plugin is what is tested.
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_CALLBACK_PLUGINS": str(plugins),
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode not in (0, 1), done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_a_module_that_is_killed(tmp_path: Path, signal: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nkill -{signal} $$\n")
    python.chmod(0o755)
    said = played(tmp_path, ansible_python_interpreter=str(python))
    assert "box: Cause: the program that Ansible ran on the machine ended before" in said
    assert "Remedy: see that the machine is up" in said


def test_a_folder_of_ansibles_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = played(tmp_path, ansible_remote_tmp=str(tmp_path / "file" / "tmp"))
    assert "box: Cause: Ansible cannot write its folder on the machine, ~/.ansible/tmp" in said
    assert "Remedy: 'ls -ld ~ ~/.ansible" in said


def test_other_failures_are_left_to_their_tasks(tmp_path: Path) -> None:
    said = played(tmp_path, ansible_connection="nothing-like-it")
    assert "Cause:" not in said
