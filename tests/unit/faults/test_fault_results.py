"""The report of a fault run is there after each step, and a later run goes on with it."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from faults import __main__ as command
from faults.cases.bench import Verdict
from faults.cases.table import Case
from faults.results import REPORT, commit_of
from faults.steps import Step, StepOutcome
from faults.summary import Summary

OTHER_SEED = (
    '{"seed": 2, "undisturbed_seconds": {}, "steps": [], "cases": [], "illegal": 0, "seconds": 1.0}'
)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps that are taken, none on a machine; the first one of a number 4 is interrupted."""
    taken: list[int] = []

    def take(step: Step, _reference: Any, folder: Path) -> StepOutcome:
        taken.append(step.number)
        if taken.count(4) == 1 and step.number == 4:
            raise KeyboardInterrupt
        problems = ["files: /etc/x"] if taken.count(step.number) == 1 and step.number == 2 else []
        return StepOutcome(step, "venv", 1, 3.0, problems, [], 0, 9.0, str(folder))

    def take_case(case: Case, _reference: Any, folder: Path, _seconds: float) -> Verdict:
        return Verdict(case.name, [], 1.0, str(folder))

    measured = SimpleNamespace(seconds={"provision": 20.0})
    monkeypatch.setattr(command, "virgin", lambda *_: nullcontext())
    monkeypatch.setattr(command, "measure", lambda *_, **__: measured)
    monkeypatch.setattr(command, "take", take)
    monkeypatch.setattr(command, "take_case", take_case)
    return taken


def _report(folder: Path) -> Summary:
    return msgspec.json.decode((folder / REPORT).read_bytes(), type=Summary)


def test_an_interrupted_run_keeps_its_results_and_is_resumed(
    tmp_path: Path, runs: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--kills=5", "--no-cases", "--parallel=1", f"--output={tmp_path}"]
    assert command.main([*options, "--kills=4"]) == 130
    assert "--continue" in capsys.readouterr().out
    assert [outcome.step.number for outcome in _report(tmp_path).steps] == [1, 2, 3]
    # The second one was illegal, and stays so until it is taken again.
    assert command.main([*options, "--continue"]) == 1
    assert runs == [1, 2, 3, 4, 4, 5]
    assert command.main([*options, "--continue", "--only=2"]) == 0
    report = _report(tmp_path)
    assert [outcome.step.number for outcome in report.steps] == [1, 2, 3, 4, 5]
    assert report.illegal == 0
    assert all(outcome.commit for outcome in report.steps)
    assert "illegal states: 0" in (tmp_path / "report.txt").read_text()


def test_a_case_that_is_named_is_run_again(tmp_path: Path, runs: list[int]) -> None:
    assert not runs
    options = ["--kills=0", f"--output={tmp_path}"]
    assert command.main([*options, "--case=umask-0*"]) == 0
    names = [verdict.name for verdict in _report(tmp_path).cases]
    assert command.main([*options, "--continue", "--case=umask-077", "--case=locale-C"]) == 0
    assert [verdict.name for verdict in _report(tmp_path).cases] == [*names, "locale-C"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "nothing to go on with"),
        ("{", "cannot be read"),
        (OTHER_SEED, "--seed 2"),
    ],
)
def test_what_cannot_be_resumed_is_said(
    tmp_path: Path, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / REPORT).write_text(text)
    with pytest.raises(SystemExit) as ended:
        command.main(["--continue", f"--output={tmp_path}"])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_commit_is_marked_where_anything_but_results_differs(tmp_path: Path) -> None:
    recorded, other = tmp_path / "docs" / "reliability-results.json", tmp_path / "run"
    recorded.parent.mkdir()
    for file in (recorded, other):
        file.write_text("{}")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for arguments in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "-mx"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    head = commit_of(tmp_path)
    recorded.write_text('{"more": 1}')
    assert commit_of(tmp_path) == head
    other.write_text("changed")
    assert commit_of(tmp_path) == f"{head}+"
