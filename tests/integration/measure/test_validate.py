"""``rdna1-validate smoke`` as a user runs it: the real command, the real worker, real torch."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from rdna1.measure.smoke import smoke_cases
from support.processes import ignores_sigterm

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the worker computes with torch"
)

ALL = len(smoke_cases())
UP_TO_32 = len(smoke_cases(32))

Pids = Callable[[], list[int]]
WaitUntil = Callable[[Callable[[], bool]], None]

HANG_FROM_THE_SECOND_CASE = "- {when: \"direction == 'backward'\", outcome: hang}\n"


def command(*arguments: str) -> list[str]:
    """The command with SIGINT as on a terminal, however this test was started."""
    return ["env", "--default-signal=INT", sys.executable, "-m", "rdna1.cli.validate", *arguments]


def validate(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, check=False)


def outcomes(report: Any) -> dict[str, str]:
    return {f"{r['case']['kh']} {r['case']['direction']}": r["outcome"] for r in report["cases"]}


@needs_torch
def test_the_cpu_passes(started: Pids, tmp_path: Path) -> None:
    run = validate("smoke", "--device", "cpu", "--format", "json", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    report = json.loads(run.stdout)
    assert report["schema_version"] == 1
    assert (report["kind"], report["verdict"], report["workers_lost"]) == ("smoke", "pass", 0)
    assert (report["device"]["requested"], report["device"]["type"]) == ("cpu", "cpu")
    assert report["device"]["torch"]
    assert len(report["cases"]) == ALL
    for result in report["cases"]:
        assert result["outcome"] == "pass"
        assert 0 < result["max_abs_err"] < 1
        assert result["detail"] == ""
    assert started() == []


@needs_torch
def test_every_misbehaviour_is_named(started: Pids, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        """
        - {when: "h == 32 and direction == 'forward'", outcome: hang}
        - {when: h == 32, outcome: crash}
        - {when: "kh == 5 and direction == 'forward'", outcome: error}
        - {when: kh == 5, outcome: wrong}
        """,
        encoding="utf-8",
    )
    arguments = ["smoke", "--device", "sim:rules.yml", "--timeout", "3", "--max-side", "32"]
    run = validate(*arguments, "--format", "json", cwd=tmp_path)
    assert run.returncode == 1
    report = json.loads(run.stdout)
    found = [(result["outcome"], result["detail"]) for result in report["cases"]]
    assert found[:3] == [
        ("hang", "no answer within 3 s, killed"),
        ("crash", "killed by SIGSEGV"),
        ("error", "RuntimeError: simulated, as kh == 5 and direction == 'forward' holds"),
    ]
    assert found[3][0] == "wrong"
    assert found[3][1].startswith("input gradient: largest error")
    assert found[4:] == [("pass", "")] * (UP_TO_32 - 4)
    assert (report["verdict"], report["workers_lost"]) == ("fail", 2)
    assert started() == []


@needs_torch
def test_slow_cases_are_named_and_pass(started: Pids, tmp_path: Path) -> None:
    """With all other cases of the suite to compare: one of them is fast on a busy machine, too."""
    (tmp_path / "rules.yml").write_text(
        "- {when: groups == 32 and stride == 1 and dtype == 'float32', outcome: slow}",
        encoding="utf-8",
    )
    run = validate("smoke", "--device", "sim:rules.yml", "--format", "json", cwd=tmp_path)
    assert run.returncode == 0
    report = json.loads(run.stdout)
    slow = [result for result in report["cases"] if result["case"]["groups"] > 1][:2]
    assert [result for result in report["cases"] if result["outcome"] != "pass"] == slow
    for result in slow:
        assert result["outcome"] == "slow"
        assert result["seconds"] >= 1
        assert result["detail"].endswith(" s is what the other cases lead to expect")
    assert report["verdict"] == "pass"
    assert started() == []


@needs_torch
def test_the_text_and_junit_forms_say_what_failed(started: Pids, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("- {when: kh == 5, outcome: wrong}", encoding="utf-8")
    arguments = ["smoke", "--device", "sim:rules.yml", "--max-side", "32"]
    text = validate(*arguments, cwd=tmp_path)
    assert text.returncode == 1
    assert "wrong: 16->32 5x5 25x25 forward\n  output: largest error" in text.stdout
    assert f"FAIL: {UP_TO_32 - 2} of {UP_TO_32} convolutions passed on sim" in text.stdout
    assert max(map(len, text.stdout.splitlines())) <= 80
    junit = validate(*arguments, "--format", "junit", "--output", "report.xml", cwd=tmp_path)
    assert junit.returncode == 1
    assert junit.stdout.startswith(f"FAIL: {UP_TO_32 - 2} of {UP_TO_32} convolutions passed on sim")
    suite = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own report
    assert len(suite.findall(".//testcase")) == UP_TO_32
    assert len(suite.findall(".//failure")) == 2
    assert started() == []


@needs_torch
def test_slow_is_a_warning(started: Pids, tmp_path: Path) -> None:
    rule = "- {when: transposed and direction == 'backward', outcome: slow}"
    (tmp_path / "rules.yml").write_text(rule, encoding="utf-8")
    run = validate("smoke", "--device", "sim:rules.yml", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert f"PASS: {ALL} of {ALL} convolutions passed on sim, 2 of them slow, " in run.stdout
    heading = "slow: transposed 64->32 2x2 s2 21x21 backward\n"
    detail = r"  took \S+ s; \S+ s is what the other cases lead to expect\n"
    assert re.search(re.escape(heading) + detail, run.stdout)
    assert started() == []


@needs_torch
@pytest.mark.parametrize(
    ("rules", "advice"),
    [
        ("- {when: dtype == 'float16', outcome: wrong}", "float16"),
        ("- {when: dtype == 'bfloat16', outcome: crash}", "bfloat16"),
        ("- {when: dtype != 'float32', outcome: error}", "float16 and bfloat16"),
    ],
)
def test_a_short_dtype_that_fails_alone_is_a_warning(
    started: Pids, tmp_path: Path, rules: str, advice: str
) -> None:
    (tmp_path / "rules.yml").write_text(rules, encoding="utf-8")
    arguments = ["smoke", "--device", "sim:rules.yml", "--max-side", "28"]
    run = validate(*arguments, "--format", "json", "--output", "smoke.json", cwd=tmp_path)
    assert run.returncode == 0
    assert run.stdout.startswith("PASS: ")
    assert f"use float32: {advice} failed" in run.stdout
    report = json.loads((tmp_path / "smoke.json").read_text(encoding="utf-8"))
    assert (report["verdict"], report["advice"]) == ("pass", "use float32")
    # One crash a dtype is enough: each may be a reset of the card.
    assert report["workers_lost"] <= 1
    junit = validate("report", "smoke.json", "--format", "junit", cwd=tmp_path)
    assert junit.returncode == 0
    assert "<failure" not in junit.stdout
    assert started() == []


DOWNSAMPLING = """\
- {when: "kh == 1 and stride == 2 and direction in ('backward', 'backward-weights')", outcome: hang}
"""


@needs_torch
@pytest.mark.parametrize(
    ("rules", "failed"),
    [
        # ROCm/MIOpen#13: the downsampling of a ResNet, whose backward hangs.
        (DOWNSAMPLING, "64->128 1x1 s2 42x42 backward: hang"),
        ("- {when: n > 1, outcome: wrong}", "16->32 3x3 n4 40x40 forward: wrong"),
        ("- {when: c_in % 2 == 1 and c_in > 3, outcome: wrong}", "15->31 3x3 33x33 forward: wrong"),
    ],
)
def test_what_public_reports_met_fails(
    started: Pids, tmp_path: Path, rules: str, failed: str
) -> None:
    (tmp_path / "rules.yml").write_text(rules, encoding="utf-8")
    run = validate("smoke", "--device", "sim:rules.yml", "--timeout", "1", cwd=tmp_path)
    assert run.returncode == 1
    layer, _, outcome = failed.partition(": ")
    assert f"{outcome}: {layer}" in run.stdout
    assert "FAIL: " in run.stdout
    assert started() == []


@needs_torch
def test_a_gpu_that_torch_does_not_see_is_wrong_usage(started: Pids, tmp_path: Path) -> None:
    run = subprocess.run(
        command("smoke", "--device", "cuda"),
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("rdna1-validate: --device cuda: torch ")
    assert run.stderr.endswith(" sees no GPU\n")
    assert started() == []


def test_a_torch_that_cannot_be_imported_is_named(
    started: Pids, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "libamdhip64.so.5: cannot open shared object file"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "torch.py").write_text(f"raise ImportError({message!r})")
    monkeypatch.setenv("PYTHONPATH", "modules")
    run = validate("smoke", cwd=tmp_path)
    assert run.returncode == 2
    assert f"{sys.executable} cannot import torch: {message}; use the rdna1-va" in run.stderr
    assert run.stderr.count("\n") == 1
    assert started() == []


def test_modules_in_the_users_folder_are_not_imported(started: Pids, tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('imported from the wrong place')")
    script = "import sys; sys.path.pop(0); from rdna1.cli.validate import main; sys.exit(main())"
    arguments = [sys.executable, "-c", script, "smoke", "--device", "sim:/nowhere/rules.yml"]
    run = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stderr == "rdna1-validate: /nowhere/rules.yml: No such file or directory\n"
    assert started() == []


@needs_torch
def test_the_command_itself_imports_no_torch(started: Pids, tmp_path: Path) -> None:
    script = (
        "import sys; from rdna1.cli.validate import main; code = main(); "
        "sys.exit(9 if 'torch' in sys.modules else code)"
    )
    arguments = [sys.executable, "-c", script, "smoke", "--device", "cpu", "--max-side", "25"]
    assert subprocess.run(arguments, cwd=tmp_path, check=False).returncode == 0
    assert started() == []


def start_and_hang(started: Pids, wait_until: WaitUntil, folder: Path) -> subprocess.Popen[str]:
    """Start the command in a session of its own and wait until its worker hangs."""
    (folder / "rules.yml").write_text(HANG_FROM_THE_SECOND_CASE, encoding="utf-8")
    run = subprocess.Popen(
        command(
            "smoke", "--device=sim:rules.yml", "--timeout=600", "--format=json", "--output=out"
        ),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: any(map(ignores_sigterm, started())))
    return run


@needs_torch
def test_an_interrupt_leaves_a_partial_report_and_no_process(
    started: Pids, wait_until: WaitUntil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with start_and_hang(started, wait_until, tmp_path) as run:
        assert len(started()) >= 4  # the command, the template, a worker, its reaper
        os.killpg(run.pid, signal.SIGINT)
        stdout, stderr = run.communicate()
    assert (run.returncode, stderr) == (130, "")
    assert started() == []
    assert list(temporary.iterdir()) == []
    report = json.loads((tmp_path / "out").read_text(encoding="utf-8"))
    assert (report["verdict"], report["interrupted"], report["not_run"]) == ("fail", True, ALL - 1)
    assert outcomes(report) == {"3 forward": "pass"}
    assert stdout.startswith(
        f"FAIL: 1 of {ALL} convolutions passed on sim, {ALL - 1} not run, interrupted"
    )


@needs_torch
def test_a_worker_does_not_outlive_a_killed_supervisor(
    started: Pids, wait_until: WaitUntil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its temporary files do outlive it, until the next run.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with start_and_hang(started, wait_until, tmp_path) as run:
        run.kill()
    wait_until(lambda: started() == [])
