"""The fault run: the same seed draws the same steps, and phases cover the playbooks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from faults import processes
from faults.__main__ import main
from faults.cases.bench import Bench, Verdict
from faults.cases.table import Case, cases, take_case
from faults.phases import PHASES, Phase, phase_of
from faults.steps import LATEST, TARGETS, StepOutcome, draw
from faults.summary import Summary, step_line, table

ROOT = Path(__file__).parents[3]


def test_a_seed_draws_the_same_steps_whichever_are_asked_for() -> None:
    assert draw(7, 5) == draw(7, 5)
    assert draw(7, 5) != draw(8, 5)


def test_every_target_is_drawn_as_often_and_both_ways_go_on() -> None:
    steps = [draw(1, number) for number in range(1, 61)]
    assert Counter(step.target for step in steps) == dict.fromkeys(TARGETS, 10)
    assert {step.follow for step in steps} == {"rerun", "rollback"}
    assert {step.playbook for step in steps} == {"provision", "rollback"}
    assert all(0 <= step.moment <= LATEST for step in steps)


def test_every_role_of_a_playbook_is_a_phase() -> None:
    for playbook, file in (("provision", "site"), ("rollback", "rollback")):
        (play,) = yaml.safe_load((ROOT / "playbooks" / f"{file}.yml").read_text())
        roles = [role["role"] for role in play["roles"]]
        assert {phase.role for phase in PHASES if phase.playbook == playbook} == set(roles)


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: f"{phase.playbook}-{phase.name}")
def test_a_phase_begins_with_a_task_of_its_role(phase: Phase) -> None:
    names = [
        str(task["name"])
        for file in (ROOT / "roles" / phase.role / "tasks").glob("*.yml")
        for task in _tasks(yaml.safe_load(file.read_text()))
        if "name" in task
    ]
    # Ansible's own first task of every role with an argument spec.
    names.append("Validating arguments against arg spec")
    printed = [name.replace("{{ snapshot_moment }}", moment) for name in names
               for moment in ("before", "after")]  # fmt: skip
    lines = [f"TASK [{phase.role} : {name}] ***" for name in printed]
    assert phase.name in {phase_of(phase.playbook, f"{line}\n") for line in lines}


def _tasks(tasks: list[dict[str, object]]) -> list[dict[str, object]]:
    found = list(tasks)
    for task in tasks:
        for part in ("block", "rescue"):
            inner = task.get(part)
            found += _tasks(inner) if isinstance(inner, list) else []
    return found


def test_names_of_cases_are_unique_and_explained() -> None:
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)
    assert all(case.meaning for case in cases())


def test_an_unknown_case_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--case", "umask-7"])
    assert ended.value.code == 2
    assert "no such case: umask-7" in capsys.readouterr().err


def test_an_exception_is_the_problem_of_its_case_which_stays_closed_to_others(
    tmp_path: Path,
) -> None:
    def breaks(bench: Bench) -> list[str]:
        (bench.folder / "reports").mkdir(parents=True)
        (bench.folder / "reports").chmod(0o777)
        raise OSError("no podman")

    reference: Any = None
    verdict = take_case(Case("breaks", breaks), reference, tmp_path / "breaks", 1)
    assert verdict.problems == ["the case itself ended with OSError: no podman"]
    assert "no podman" in (tmp_path / "breaks" / "exception.log").read_text()
    assert (tmp_path / "breaks" / "reports").stat().st_mode & 0o777 == 0o755


def test_the_table_counts_what_the_steps_say() -> None:
    step = draw(1, 1)
    legal = StepOutcome(step, "venv", 1, 3.0, [], [], 0, 9.0, "here")
    illegal = StepOutcome(step, "venv", 1, 3.0, ["files: /etc/x"], [], 2, 9.0, "here")
    case = Verdict("umask-077", [], 1.0, "there")
    summary = Summary(1, {"provision": 20.0}, [legal, illegal], [case], 1, 30.0)
    shown = table(summary)
    assert "illegal states: 1" in shown
    assert "umask-077  legal" in shown
    assert "workers on the controller 1" in shown
    line = step_line(illegal, 1)
    assert "ILLEGAL" in line
    assert "./run faults --seed 1 --only 1" in line


def test_descendants_are_found_and_killed_by_handle() -> None:
    script = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        while len(processes.descendants(parent.pid)) < 2:
            assert parent.poll() is None
        assert processes.kill(processes.descendants(parent.pid)) == 2
    assert processes.kill([parent.pid]) == 0
    assert os.getpid() not in processes.marked("RDNA1_FAULTS_RUN=nobody")
