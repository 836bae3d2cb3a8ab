"""``rdna1-validate tune`` as a user runs it, on simulated devices that really misbehave."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from support.modules import load_by_path
from support.processes import ignores_sigterm, interrupt

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the worker computes with torch"
)

Pids = Callable[[], list[int]]
WaitUntil = Callable[[Callable[[], bool]], None]

generate = load_by_path(Path(__file__).parents[3] / "docs" / "generate.py")
# It has no types of its own.
jsonschema: Any = importlib.import_module("jsonschema")

# Explicit GEMM crashes above 42, implicit GEMM gives wrong results, the rest crashes above 20.
RULES = """\
- {when: "env['MIOPEN_DEBUG_CONV_WINOGRAD'] == '' and max(h, w) > 43", outcome: crash}
- {when: "env['MIOPEN_DEBUG_CONV_GEMM'] == '' and max(h, w) > 42", outcome: crash}
- {when: "env['MIOPEN_DEBUG_CONV_WINOGRAD'] == '0' and env['MIOPEN_DEBUG_CONV_GEMM'] == '0'",
   outcome: wrong}
"""


def command(*arguments: str) -> list[str]:
    """The command with SIGINT as on a terminal, however this test was started."""
    program = ["env", "--default-signal=INT", sys.executable, "-m", "rdna1.cli.validate", "tune"]
    return [*program, "--max-side=48", *arguments]


def tune(folder: Path, rules: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yml").write_text(rules, encoding="utf-8")
    return subprocess.run(
        command("--device=sim:rules.yml", "--timeout=3", *arguments),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def report_of(run: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    """The report that a run printed, which must fit the published schema."""
    assert run.returncode == code, run.stderr
    report = json.loads(run.stdout)
    schema = json.loads(generate.schema_path("tune").read_text(encoding="utf-8"))
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(report)) == []
    return report


def test_correctness_comes_before_the_envelope(started: Pids, tmp_path: Path) -> None:
    arguments = ("--only=stack,implicit-gemm,all-but-explicit-gemm", "--format=json")
    file = tmp_path / "environment.yml"
    file.write_text("environment_miopen_profile: implicit-gemm\n")
    run = tune(tmp_path, RULES, *arguments, "--yes", f"--write={file}")
    report = report_of(run)
    assert report["ranking"] == ["all-but-explicit-gemm", "stack"]
    trials = {trial["candidate"]: trial for trial in report["trials"]}
    assert trials["implicit-gemm"]["status"] == "failed"
    assert "16->32 3x3 32x32 forward: wrong" in trials["implicit-gemm"]["reason"]
    assert trials["stack"]["boundary"]["safe_side"] == 42
    assert trials["all-but-explicit-gemm"]["boundary"]["safe_side"] == 43
    assert "without MIOPEN_DEBUG_CONV_WINOGRAD" in trials["all-but-explicit-gemm"]["changes"]
    assert "MIOPEN_DEBUG_CONV_GEMM=0" in trials["all-but-explicit-gemm"]["changes"]
    written = yaml.safe_load(file.read_text())
    assert written["environment_miopen_profile"] == "default"
    assert written["environment_variables"]["MIOPEN_DEBUG_CONV_GEMM"] == "0"
    assert written["environment_variables"]["MIOPEN_DEBUG_CONV_WINOGRAD"] == ""
    backup = tmp_path / "environment.yml.rdna1-backup"
    assert backup.read_text() == "environment_miopen_profile: implicit-gemm\n"
    assert str(backup) in run.stderr
    assert started() == []


def test_equal_envelopes_are_ranked_by_speed(started: Pids, tmp_path: Path) -> None:
    # Each slow case takes seconds, so those of the correctness are not.
    rules = """- {when: "env['MIOPEN_DEBUG_CONV_GEMM'] == '' and h == 42", outcome: slow}"""
    arguments = ("--only=stack,implicit-gemm", "--max-side=12", "--format=json")
    report = report_of(tune(tmp_path, rules, *arguments))
    assert report["ranking"] == ["implicit-gemm", "stack"]
    times = {trial["candidate"]: trial["warm_seconds"] for trial in report["trials"]}
    assert times["stack"] > times["implicit-gemm"] + 2
    assert started() == []


def test_a_winner_that_programs_must_choose_is_not_written(started: Pids, tmp_path: Path) -> None:
    rules = """- {when: "env['RDNA1_BYPASS_MIOPEN'] != '1' and h > 42", outcome: error}"""
    file = tmp_path / "environment.yml"
    run = tune(tmp_path, rules, "--only=stack,bypass", "--yes", f"--write={file}")
    assert run.returncode == 0, run.stderr
    text = " ".join(run.stdout.split())
    assert "WINNER: bypass" in text
    assert "It needs a change of your programs: torch.backends.cudnn.enabled = False." in text
    written = yaml.safe_load(file.read_text())
    assert written == {"environment_miopen_profile": "default", "environment_variables": {}}
    assert started() == []


def test_the_hangs_that_are_allowed_are_those_of_all(started: Pids, tmp_path: Path) -> None:
    rules = '- {when: "h > 0", outcome: crash}'
    run = tune(tmp_path, rules, "--max-hangs=2", "--format=json", "--only=stack,bypass,no-override")
    report = report_of(run, 1)
    assert (report["workers_lost"], report["complete"], report["winner"]) == (2, False, None)
    assert [trial["status"] for trial in report["trials"]] == ["failed", "failed", "left out"]
    assert report["stopped"] == "the hang budget of 2 is exhausted"
    junit = tune(tmp_path, rules, "--max-hangs=1", "--format=junit", "--only=stack,bypass")
    assert junit.returncode == 1
    suite = ET.fromstring(junit.stdout)  # noqa: S314 - our own report
    assert len(suite.findall(".//failure")) == 1
    assert len(suite.findall(".//skipped")) == 1
    assert started() == []


def test_what_cannot_matter_on_a_cpu_is_left_out(started: Pids) -> None:
    run = subprocess.run(
        command("--device=cpu", "--max-side=12", "--only=stack,implicit-gemm,bypass"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    text = " ".join(run.stdout.split())
    assert "implicit-gemm: left out, without effect on cpu: only ROCm reads these" in text
    assert "bypass: left out, without effect on a CPU, where torch has no MIOpen" in text
    assert "those of the stack do best: there is nothing to write" in text
    assert started() == []


def test_an_interrupt_keeps_what_is_known(
    started: Pids, wait_until: WaitUntil, tmp_path: Path
) -> None:
    rules = """- {when: "env['RDNA1_BYPASS_MIOPEN'] == '1'", outcome: hang}"""
    (tmp_path / "rules.yml").write_text(rules, encoding="utf-8")

    options = ("--device=sim:rules.yml", "--timeout=600", "--only=stack,bypass,override-10.1.0")
    run = interrupt(
        command(*options, "--max-side=12", "--format=json", "--output=out"),
        tmp_path,
        lambda: wait_until(lambda: any(map(ignores_sigterm, started()))),
    )
    assert (run.returncode, run.stderr) == (130, "")
    report = json.loads((tmp_path / "out").read_text(encoding="utf-8"))
    statuses = {trial["candidate"]: trial["status"] for trial in report["trials"]}
    assert statuses == {"stack": "passed", "bypass": "partial", "override-10.1.0": "passed"}
    assert report["stopped"] == "interrupted"
    assert report["winner"] is not None
    assert started() == []
