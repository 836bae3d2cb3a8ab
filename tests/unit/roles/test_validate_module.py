"""The module that measures: does an earlier measurement still count?"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest

from support.ansible_module import INSTALLER, MODULES, run_module
from support.machine_tree import MachineTree
from support.modules import load_by_path

# What the setting module_utils of ansible.cfg does.
ansible.module_utils.__path__.append(str(INSTALLER))
MODULE = load_by_path(MODULES / "rdna1_validate.py")
Run = Callable[..., dict[str, Any]]

# A fake for rdna1-validate: counts its runs in its report, and passes as it is told.
PROGRAM = """\
#!/bin/sh
umask 077
for argument; do case $argument in --output=*) report=${argument#*=} ;; esac; done
echo run >> "$0.runs"
read -r code < "$0.code"
[ "$code" = 0 ] && verdict=pass || verdict=fail
printf '{"kind": "smoke", "verdict": "%s", "runs": %s}' $verdict "$(wc -l < "$0.runs")" > "$report"
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


def arguments(box: Path, **changed: object) -> dict[str, Any]:
    """Of the module."""
    return {
        "measurement": "smoke",
        "program": str(box / "rdna1-validate"),
        "profile": str(box / "profile.sh"),
        "arguments": ["--max-side=42"],
        "report_dir": str(box / "reports"),
        "depends_on": [str(box / "status"), str(box / "link")],
        **changed,
    }


def measurement(box: Path, **changed: object) -> Any:
    """A measurement of the module, as things are now."""
    return MODULE.Measurement(arguments(box, **changed))


@pytest.fixture
def run(box: Path) -> Run:
    """Measure, or find that the earlier measurement still counts."""

    def play(**changed: object) -> dict[str, Any]:
        return run_module("rdna1_validate", arguments(box, **changed), box)

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


def test_reports_that_everybody_could_read_are_closed(run: Run, box: Path) -> None:
    other = box / "other.json"
    other.touch()
    other.chmod(0o644)
    run()
    old = [box / "reports" / name for name in ("smoke.json", "smoke.passed.json", "tune.json")]
    kept, link = box / "reports/kept.json", box / "reports/link.json"
    for path in (*old, kept):
        path.touch()
        path.chmod(0o644)
    # A group that its owner chose; and a link, whose file is not a report.
    kept.chmod(0o640)
    link.symlink_to(other)
    assert run(_ansible_check_mode=True)["changed"]
    assert old[0].stat().st_mode & 0o777 == 0o644
    closed = run()
    assert (runs(closed), closed["changed"]) == (1, True)
    assert [path.stat().st_mode & 0o777 for path in old] == [0o600] * 3
    assert kept.stat().st_mode & 0o777 == 0o640
    assert other.stat().st_mode & 0o777 == 0o644
    assert not run()["changed"]


@pytest.fixture
def passed(box: Path) -> Path:
    """The box after a measurement that passed."""
    (box / "reports").mkdir()
    (box / "reports/smoke.json").write_text("{}")
    measurement(box).passed(time.time())
    assert measurement(box).earlier()[1] == "{}"
    # The kernel stamps changes by its ticks.
    time.sleep(0.05)
    return box


def replace(box: Path) -> None:
    (box / "new").write_text("torch 2.2\n")
    (box / "new").replace(box / "status")


def start_anew(box: Path) -> None:
    """The record of a machine that was started since."""
    record = box / "reports/smoke.passed.json"
    kept = json.loads(record.read_text())
    kept["circumstances"]["boot"] = "00000000-0000-4000-8000-000000000000"
    record.write_text(json.dumps(kept))


@pytest.mark.parametrize(
    "change",
    [
        lambda box: (box / "status").write_text("torch 2.3\n"),
        lambda box: (box / "status").unlink(),
        replace,
        lambda box: (box / "link").symlink_to("elsewhere"),
        start_anew,
        lambda box: (box / "reports/smoke.json").unlink(),
        lambda box: (box / "reports/smoke.passed.json").write_text("{damaged"),
        lambda box: (box / "reports/smoke.passed.json").write_text("[]"),
    ],
    ids=["edit", "removal", "replacement", "link", "start", "no report", "damage", "no record"],
)
def test_after_a_change_it_does_not_count(passed: Path, change: Callable[[Path], object]) -> None:
    change(passed)
    assert measurement(passed).earlier() == ("", "")


@pytest.mark.parametrize(
    "option", [{"arguments": ["--max-side=40"]}, {"depends_on": []}, {"profile": "/dev/null"}]
)
def test_other_options_are_another_measurement(passed: Path, option: dict[str, object]) -> None:
    assert measurement(passed, **option).earlier() == ("", "")


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


def test_an_earlier_report_is_not_the_verdict_of_a_program_that_breaks(run: Run, box: Path) -> None:
    run()
    (box / "rdna1-validate").write_text("#!/bin/sh\nexit 1\n")
    broken = run(again=True)
    assert broken["failed"]
    assert "broke off with exit code 1: it printed nothing" in broken["msg"]


def test_check_mode_measures_nothing(run: Run, box: Path) -> None:
    shown = run(_ansible_check_mode=True)
    assert (shown["changed"], shown["report"], shown["earlier"]) == (True, "", "")
    assert not (box / "reports").exists()


def test_a_refusal_names_the_variable_that_insists(box: Path) -> None:
    MachineTree(box / "tree").display("731f").screen()
    program = box / "rdna1-validate"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rdna1.cli.validate "$@"\n')
    asked = ["--device=cuda", f"--root={box / 'tree'}"]
    refused = run_module(
        "rdna1_validate", arguments(box, measurement="boundary", arguments=asked), box
    )
    assert refused["failed"]
    assert refused["msg"] == (
        "boundary was refused: a monitor is connected to the card (0000:03:00.0, HDMI-A-1). "
        "Remedy: save what is open on that machine and set validate_yes: true, or measure while "
        "the card has no monitor and no graphical session"
    )
