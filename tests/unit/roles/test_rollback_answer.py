"""The question of the role rollback, on a terminal: who answers no keeps the machine as it is."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ASKING = ("Ask", "Stop where the answer was no")


@pytest.mark.parametrize(
    ("answer", "goes_on"),
    [("", True), ("yes", True), (" Y ", True), ("no", False), ("n", False), ("stop", False)],
)
def test_any_answer_but_yes_and_enter_stops(answer: str, goes_on: bool, tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROOT / "roles/rollback/tasks/main.yml").read_text(encoding="utf-8"))
    asking = [task for task in tasks if task["name"] in ASKING]
    assert len(asking) == len(ASKING)
    going = {"name": "Go on", "ansible.builtin.debug": {"msg": "it goes on"}}
    play = {"hosts": "box", "gather_facts": False, "tasks": [*asking, going]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
    code, shown = answered(tmp_path / "play.yml", answer)
    assert code == 0, shown
    assert ("it goes on" in shown, "Nothing was changed." in shown) == (goes_on, not goes_on)


def answered(playbook: Path, answer: str) -> tuple[int, str]:
    """Run a playbook on a terminal and answer it; returns exit status and output."""
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    arguments = ["--inventory=box,", "--extra-vars=rollback_confirm=false", str(playbook)]
    command = shlex.join([program, *arguments])
    with subprocess.Popen(
        ["script", "--quiet", "--return", "--command", command, "/dev/null"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin
        assert running.stdout
        shown, ended = b"", False
        while not ended:
            ready, _, _ = select.select([running.stdout], [], [], 0.5)
            if ready:
                read = os.read(running.stdout.fileno(), 4096)
                shown, ended = shown + read, not read
            elif b"any other answer stops" in shown:
                # Ansible throws away what is typed before it listens.
                running.stdin.write(f"{answer}\r".encode())
                running.stdin.flush()
    return running.returncode, shown.decode()
