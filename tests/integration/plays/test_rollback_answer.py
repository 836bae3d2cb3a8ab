"""The question of the role rollback, on a terminal: who answers no keeps the machine as it is."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ASKING = ("Ask", "Stop where the answer was no")


ANSWERS = {"": True, "yes": True, " Y ": True, "no": False, "n": False, "stop": False}


@pytest.mark.parametrize(("answer", "goes_on"), [("", True), ("no", False)])
def test_who_answers_no_on_a_terminal_stops(answer: str, goes_on: bool, tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play(*asking())], sort_keys=False))
    code, shown = answered(tmp_path / "play.yml", answer)
    assert code == 0, shown
    assert ("it goes on" in shown, "Nothing was changed." in shown) == (goes_on, not goes_on)


def test_any_answer_but_yes_and_enter_stops(tmp_path: Path) -> None:
    _, stop = asking()
    plays = []
    for answer in ANSWERS:
        fact = {"__rollback_answer": {"user_input": answer}}
        given = {"name": "Answer", "ansible.builtin.set_fact": fact}
        plays.append(play(given, stop, said=f"goes on after {answer!r}"))
    (tmp_path / "plays.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    done = subprocess.run(
        command(tmp_path / "plays.yml"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {each: f"goes on after {each!r}" in done.stdout for each in ANSWERS} == ANSWERS
    assert done.stdout.count("Nothing was changed.") == list(ANSWERS.values()).count(False)


def asking() -> list[dict[str, Any]]:
    """Return the role's own tasks that ask and stop."""
    tasks = yaml.safe_load((ROOT / "roles/rollback/tasks/main.yml").read_text(encoding="utf-8"))
    found = [task for task in tasks if task["name"] in ASKING]
    assert len(found) == len(ASKING)
    return found


def play(*tasks: dict[str, Any], said: str = "it goes on") -> dict[str, Any]:
    """Return a play of some tasks that says at its end that it got there."""
    going = {"name": "Go on", "ansible.builtin.debug": {"msg": said}}
    return {"hosts": "box", "gather_facts": False, "tasks": [*tasks, going]}


def command(playbook: Path) -> list[str]:
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return [program, "--inventory=box,", "--extra-vars=rollback_confirm=false", str(playbook)]


def answered(playbook: Path, answer: str) -> tuple[int, str]:
    """Run a playbook on a terminal and answer it; returns exit status and output."""
    shell = shlex.join(command(playbook))
    with subprocess.Popen(
        ["script", "--quiet", "--return", "--command", shell, "/dev/null"],
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
