"""The record after a run waits for a program that uses dpkg, as every other step does."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from support.boxes import ROOT, Box

PLAY = """\
- name: Write down the state
  hosts: all
  gather_facts: false
  tasks:
    - name: Write it down
      ansible.builtin.include_role:
        name: snapshot
"""
# An apt-get of somebody else; once it is told to, it installs a package and ends.
OTHER = """
import fcntl
with open("/var/lib/dpkg/lock-frontend", "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    input()
    with open("/var/lib/dpkg/status", "a") as status:
        status.write(
            "Package: late\\nStatus: install ok installed\\nVersion: 1\\nArchitecture: all\\n"
            "Maintainer: Nobody <nobody@example.org>\\nDescription: late\\n\\n"
        )
"""


def test_what_another_program_installs_meanwhile_is_in_it(
    make_box: Callable[..., Box], tmp_path: Path
) -> None:
    box = make_box()
    playbook = tmp_path / "record.yml"
    playbook.write_text(PLAY)
    first = box.play("--extra-vars=snapshot_moment=before", playbook=str(playbook))
    assert first.returncode == 0, first.stdout + first.stderr
    # So that the run changed something.
    box.run("mkdir", "-p", "/etc/rdna1")
    other = subprocess.Popen(
        ["podman", "exec", "--interactive", box.name, "python3", "-c", OTHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout
    assert other.stdout.readline() == "held\n"
    inventory = f"--inventory={box.folder / box.name}.json"
    with subprocess.Popen(
        ["ansible-playbook", inventory, "--extra-vars=snapshot_moment=after", str(playbook)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout
        # To the end where it does not wait.
        waited = next((line for line in run.stdout if "holds /var/lib/dpkg/lock" in line), "")
        other.communicate("\n")
        said = run.stdout.read()
    assert run.returncode == 0, said
    assert waited
    record = box.run("sh", "-c", "cat /var/lib/rdna1/snapshots/*/after.json")
    assert "late" in json.loads(record)["packages"]
