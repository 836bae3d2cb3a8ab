"""``rdna1-validate sweep``, ``timing`` and ``report`` as users run them, and their page."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rdna1.conv.case import ConvCase
from rdna1.measure.envelope import Envelope, allows

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "validate.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ rdna1-validate (.*)$", PAGE, re.MULTILINE)

Pids = Callable[[], list[int]]
WaitUntil = Callable[[Callable[[], bool]], None]

SWEEP = ["sweep", "--device", "sim:rules.yml", "--timeout", "1", "--format", "json"]


def command(*arguments: str) -> list[str]:
    """The command with SIGINT as on a terminal, however this test was started."""
    return ["env", "--default-signal=INT", sys.executable, "-m", "rdna1.cli.validate", *arguments]


def validate(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, check=False)


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def labels(report: Any) -> list[tuple[int, str]]:
    return [(result["case"]["w"], result["outcome"]) for result in report["cases"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yml").write_text('- {when: "max(h, w) > 42", outcome: hang}\n')
    return tmp_path


def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    runs = [validate(*shlex.split(line), cwd=tmp_path) for line in COMMANDS]
    assert [run.stderr for run in runs] == [""] * len(COMMANDS)
    assert [run.returncode for run in runs] == [0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    smoke, timing, large, hard, sizes, boundary, *_, merged = (run.stdout for run in runs)
    assert re.search(r"^PASS: (\d+) of \1 convolutions passed on sim", smoke, re.MULTILINE)
    assert "FAIL: 2 pass, 1 hang" in timing
    assert "FAIL: 1 hang of 1" in large
    assert "FAIL: 2 pass, 2 hang of 4" in hard
    assert "FAIL: 4 pass, 3 hang of 7" in sizes
    assert "LIMIT: 42 pixels pass, 43 hangs; rule side" in boundary
    assert re.search(r"PASS: \d+ pass of \d+ legal combinations, \d+ invalid left out", merged)
    made = msgspec.json.decode((tmp_path / "envelope.json").read_bytes(), type=Envelope)
    assert allows(made, ConvCase(16, 32, 32, 32, 3, 3, padding=1))
    assert not allows(made, ConvCase(16, 32, 33, 33, 3, 3, padding=1))
    assert not allows(made, ConvCase(16, 32, 8, 8, 1, 1))


def test_a_sweep_stops_at_its_budget_and_goes_on(folder: Path, started: Pids) -> None:
    arguments = [*SWEEP, "--side", "40,43,44,8", "--output", "out.json"]
    run = validate(*arguments, "--max-hangs", "1", cwd=folder)
    assert run.returncode == 1
    assert "2 cases were not run; the same command with --max-hangs above 1 goes on" in run.stderr
    assert labels(read(folder / "out.json")) == [(40, "pass"), (43, "hang")]
    other = validate(*arguments[:-3], "40,43,44", "--output", "out.json", cwd=folder)
    assert other.returncode == 2
    assert other.stderr.endswith("side was 40,43,44,8 and is 40,43,44; remove it to start again\n")
    assert validate(*arguments, "--max-hangs", "3", cwd=folder).returncode == 1
    report = read(folder / "out.json")
    assert labels(report) == [(40, "pass"), (43, "hang"), (44, "hang"), (8, "pass")]
    assert report["parts"][0]["workers_lost"] == 2
    assert not (folder / "out.json.journal").exists()
    assert started() == []


def envelope_of(folder: Path, *reports: str) -> tuple[int, str, Envelope | None]:
    """What `report --envelope` ends with, complains of and writes."""
    (folder / "envelope.json").unlink(missing_ok=True)
    run = validate("report", *reports, "--envelope", "envelope.json", cwd=folder)
    if not (folder / "envelope.json").exists():
        return run.returncode, run.stderr, None
    made = msgspec.json.decode((folder / "envelope.json").read_bytes(), type=Envelope)
    return run.returncode, run.stderr, made


def test_an_envelope_of_sweeps_allows_what_passed(folder: Path, started: Pids) -> None:
    """Shards count together; what failed in one of several results is not allowed."""
    layer = ConvCase(16, 32, 40, 40, 3, 3, padding=1)
    small, large = (msgspec.structs.replace(layer, h=side, w=side) for side in (24, 44))
    for number in (1, 2):
        shard = ["--side", "24,40,44", "--shard", f"{number}/2", "--output", f"{number}.json"]
        validate(*SWEEP, *shard, cwd=folder)
    code, complaint, made = envelope_of(folder, "1.json", "2.json")
    assert (code, complaint) == (1, "")
    assert made is not None
    assert [allows(made, case) for case in (small, layer, large)] == [True, True, False]

    (folder / "rules.yml").write_text('- {when: "max(h, w) > 39", outcome: wrong}\n')
    assert validate(*SWEEP, "--side", "40", "--output", "40.json", cwd=folder).returncode == 1
    boundary = ["boundary", *SWEEP[1:], "--quick", "--max-side", "40", "--output", "boundary.json"]
    assert validate(*boundary, cwd=folder).returncode == 0
    code, complaint, made = envelope_of(folder, "1.json", "2.json", "boundary.json")
    assert code == 1
    assert complaint == (
        f"rdna1-validate: {layer.label} passed one time and not another: it counts as failed\n"
    )
    assert made is not None
    assert [allows(made, case) for case in (small, layer, large)] == [True, False, False]

    code, complaint, made = envelope_of(folder, "40.json")
    assert (code, made) == (2, None)
    assert "--envelope envelope.json: no envelope: nothing passes" in complaint

    (folder / "other.yml").write_text("[]\n")
    other = [*SWEEP[:2], "sim:other.yml", *SWEEP[3:], "--side", "8", "--output", "other.json"]
    assert validate(*other, cwd=folder).returncode == 0
    code, complaint, made = envelope_of(folder, "boundary.json", "other.json")
    assert (code, made) == (2, None)
    assert "the reports are of different conditions: device was" in complaint
    assert started() == []


def test_ctrl_c_writes_what_is_there(folder: Path, wait_until: WaitUntil, started: Pids) -> None:
    arguments = ["--timeout", "60", "--side", "8,43,9", "--output", "out.json"]
    run = subprocess.Popen(command(*SWEEP, *arguments), cwd=folder, stderr=subprocess.PIPE)
    journal = folder / "out.json.journal"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b'{"started":') == 2)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate()
    assert run.returncode == 130
    assert b"2 cases were not run; the same command goes on from out.json.journal" in errors
    report = read(folder / "out.json")
    assert labels(report) == [(8, "pass")]
    assert report["parts"][0]["stopped"] == "interrupted"
    # A line that was cut short by a power failure is measured again.
    with journal.open("ab") as file:
        file.write(b'{"case":')
    other = validate(*SWEEP, *arguments[2:], cwd=folder)
    assert (other.returncode, "timeout was 60.0 and is 1.0" in other.stderr) == (2, True)
    assert journal.read_bytes().endswith(b"}\n")
    assert started() == []


def test_report_merges_shards_and_refuses_others(folder: Path) -> None:
    for number in (1, 2):
        shard = ["--side", "8:40:8", "--shard", f"{number}/2", "--output", f"{number}.json"]
        assert validate(*SWEEP, *shard, cwd=folder).returncode == 0
    one = validate("report", "1.json", cwd=folder)
    assert (one.returncode, "shard 2 of 2 missing" in one.stdout) == (1, True)
    timing = ["timing", "--device", "cpu", "--side", "8", "--repeat", "4", "--format", "json"]
    assert validate(*timing, "--output", "timing.json", cwd=folder).returncode == 0
    times = read(folder / "timing.json")["cases"][0]
    assert len(times["warm_seconds"]) == 4
    assert times["gflops"] > 0
    assert times["open_seconds"] > times["seconds"] > 0
    both = validate("report", "2.json", "timing.json", "1.json", "--format", "json", cwd=folder)
    assert both.returncode == 0, both.stderr
    kinds = {each["kind"]: each for each in json.loads(both.stdout)["reports"]}
    assert [width for width, _ in labels(kinds["sweep"])] == [8, 16, 24, 32, 40]
    junit = validate("report", "1.json", "timing.json", "--format", "junit", cwd=folder)
    assert (junit.returncode, junit.stdout.count("<testsuite ")) == (1, 2)
    broken = read(folder / "2.json")
    for damage, cause in [
        ({"grid": broken["grid"] | {"n": [2]}}, "the grids differ in n"),
        ({"schema_version": 2}, "schema version 2, not 1"),
        ({"kind": "tea"}, "kind 'tea' is none of"),
        ({"cases": None}, "no result of rdna1-validate"),
    ]:
        (folder / "bad.json").write_text(json.dumps(broken | damage))
        refused = validate("report", "1.json", "bad.json", cwd=folder)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert cause in refused.stderr
    twice = validate("report", "1.json", "1.json", cwd=folder)
    assert (twice.returncode, "has shard 1" in twice.stderr) == (2, True)
