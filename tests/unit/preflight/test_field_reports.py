"""Machines and logs whose owners reported a fault, and others of the same kinds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rdna1.cli.preflight import main
from support.field.cards import ATOMICS, missing
from support.field.case import Case, Log, answer_of, explanation_of
from support.field.reports import REPORTS
from support.field.smoke import NAME
from support.field.table import CASES, LOGS
from support.machine_tree import USER

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="device files take root")


@needs_root
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_cause_is_named_first_and_nothing_else(case: Case, tmp_path: Path) -> None:
    assert answer_of(case, tmp_path / "root").wrong == []


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_a_log_is_explained(log: Log) -> None:
    assert explanation_of(log).wrong == []


def test_each_report_is_a_case_and_each_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES] + [log.name for log in LOGS]
    assert len(names) == len(set(names))
    assert {report.case for report in REPORTS} <= {*names, NAME}


@needs_root
def test_a_saved_log_is_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = missing()(tmp_path / "root").done()
    log = tmp_path / "dmesg.txt"
    log.write_text(ATOMICS)
    arguments = ["--root", str(root), "--user", USER, "--format", "json"]
    assert main([*arguments, "--kernel-log", str(log)]) == 1
    findings = {each["id"]: each for each in json.loads(capsys.readouterr().out)["checks"]}
    assert "rejects atomic operations" in findings["kfd"]["summary"]
    assert f"{log}:1" in findings["kfd"]["evidence"][0]
    assert main([*arguments, "--kernel-log", str(tmp_path / "none")]) == 2
