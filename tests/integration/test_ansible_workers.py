"""What Ansible's workers do when the process that started them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from faults import processes

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 120
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - ansible.builtin.command:
        argv: [sh, -c, "touch @/started; while ! [ -e @/go ]; do sleep 0.1; done; @/say"]
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="run as root only, as the checkout is root's here")
def test_they_end_with_it(tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    # More than a pipe holds, so that the worker waits for a reader; it has the reading end itself.
    (tmp_path / "say").write_text("#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x\n")
    (tmp_path / "say").chmod(0o755)
    playbook.write_text(PLAYBOOK.replace("@", str(tmp_path)))
    with subprocess.Popen(
        ["ansible-playbook", "--inventory=localhost,", str(playbook)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as play:
        while not (tmp_path / "started").exists():
            assert play.poll() is None
            time.sleep(0.05)
        (worker,) = [
            pid
            for pid in processes.descendants(play.pid)
            if pid != play.pid and parent_of(pid) == play.pid
        ]
        handle = os.pidfd_open(worker)
        play.send_signal(signal.SIGKILL)
    try:
        # What it started on the machine comes to its end, and nobody reads what it says.
        (tmp_path / "go").touch()
        deadline = time.monotonic() + LIMIT_SECONDS
        while lives(handle) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not lives(handle), "a worker waits for the process that was killed"
    finally:
        if lives(handle):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)


def parent_of(pid: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[1])


def lives(handle: int) -> bool:
    """Whether a process, held by its handle, has not ended; an orphan is collected by init."""
    try:
        signal.pidfd_send_signal(handle, 0)
    except ProcessLookupError:
        return False
    return True
