"""The module that measures, run as Ansible runs it: does an earlier measurement still count?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.ansible_module import run_module

Run = Callable[..., dict[str, Any]]

# A stand-in for rdna1-validate: counts its runs in its report, and passes as it is told.
PROGRAM = """\
#!/bin/sh
for argument; do case $argument in --output=*) report=${argument#*=} ;; esac; done
echo run >> "$0.runs"
printf '{"runs": %s}' "$(wc -l < "$0.runs")" > "$report"
read -r code < "$0.code"
[ "$code" = 0 ] && echo "PASS: all" || echo "FAIL: some"
exit "$code"
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A folder with the program, its profile, and two paths that the result depends on."""
    program = tmp_path / "rdna1-validate"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (tmp_path / "rdna1-validate.code").write_text("0\n")
    (tmp_path / "profile.sh").write_text(":\n")
    (tmp_path / "status").write_text("torch 2.2\n")
    return tmp_path


@pytest.fixture
def run(box: Path) -> Run:
    """Measure, or find that the earlier measurement still counts."""

    def play(**changed: object) -> dict[str, Any]:
        given = {
            "measurement": "smoke",
            "program": str(box / "rdna1-validate"),
            "profile": str(box / "profile.sh"),
            "arguments": ["--max-side=42"],
            "report_dir": str(box / "reports"),
            "depends_on": [str(box / "status"), str(box / "link")],
            **changed,
        }
        return run_module("rdna1_validate", given, box)

    return play


def runs(result: dict[str, Any]) -> int:
    """How often the program had been run when the report was made."""
    count: int = json.loads(result["report"])["runs"]
    return count


def test_what_passed_is_not_measured_again(run: Run) -> None:
    first, second = run(), run()
    assert (runs(first), first["earlier"], first["changed"]) == (1, "", True)
    assert (runs(second), second["changed"]) == (1, False)
    assert second["earlier"].startswith("20")


def test_but_it_is_where_that_is_asked_for(run: Run) -> None:
    run()
    again = run(again=True)
    assert (runs(again), again["earlier"]) == (2, "")


def replace(box: Path) -> None:
    (box / "new").write_text("torch 2.2\n")
    (box / "new").replace(box / "status")


@pytest.mark.parametrize(
    "change",
    [
        lambda box: (box / "status").write_text("torch 2.3\n"),
        lambda box: (box / "status").unlink(),
        replace,
        lambda box: (box / "link").symlink_to("elsewhere"),
        lambda box: (box / "reports/smoke.json").unlink(),
        lambda box: (box / "reports/smoke.passed.json").write_text("{damaged"),
        lambda box: (box / "reports/smoke.passed.json").write_text("[]"),
    ],
    ids=["edited", "removed", "replaced", "new link", "no report", "damaged", "no record"],
)
def test_a_change_has_it_measured_again(
    run: Run, box: Path, change: Callable[[Path], object]
) -> None:
    run()
    change(box)
    assert runs(run()) == 2
    assert runs(run()) == 2


@pytest.mark.parametrize(
    "option", [{"arguments": ["--max-side=40"]}, {"depends_on": []}, {"profile": "/dev/null"}]
)
def test_other_options_are_another_measurement(run: Run, option: dict[str, object]) -> None:
    run()
    assert runs(run(**option)) == 2


def test_it_is_measured_again_after_a_start_of_the_machine(run: Run, box: Path) -> None:
    run()
    record = box / "reports/smoke.passed.json"
    kept = json.loads(record.read_text())
    kept["circumstances"]["boot"] = "00000000-0000-4000-8000-000000000000"
    record.write_text(json.dumps(kept))
    assert runs(run()) == 2


def test_what_failed_is_measured_again(run: Run, box: Path) -> None:
    run()
    (box / "rdna1-validate.code").write_text("1\n")
    assert runs(run(again=True)) == 2
    assert runs(run()) == 3
    (box / "rdna1-validate.code").write_text("0\n")
    assert (runs(run()), runs(run())) == (4, 4)


def test_without_a_verdict_nothing_counts(run: Run, box: Path) -> None:
    run()
    (box / "rdna1-validate.code").write_text("70\n")
    broken = run(again=True)
    assert broken["failed"]
    assert "broke off with exit code 70" in broken["msg"]
    (box / "rdna1-validate.code").write_text("0\n")
    assert runs(run()) == 3


def test_check_mode_measures_nothing(run: Run, box: Path) -> None:
    shown = run(_ansible_check_mode=True)
    assert (shown["changed"], shown["report"], shown["earlier"]) == (True, "", "")
    assert not (box / "reports").exists()
