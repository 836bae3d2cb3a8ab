"""``rdna1-validate boundary`` as a user runs it, on simulated devices that really misbehave."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from rdna1.conv.case import ConvCase
from rdna1.conv.result import DeviceInfo
from rdna1.measure import envelope
from rdna1.measure.conditions import observe
from rdna1.measure.envelope import Envelope
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


def command(*arguments: str) -> list[str]:
    """The command with SIGINT as on a terminal, however this test was started."""
    program = ["env", "--default-signal=INT", sys.executable, "-m", "rdna1.cli.validate"]
    return [*program, "boundary", "--device", "sim:rules.yml", *arguments]


def boundary(folder: Path, rules: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yml").write_text(rules, encoding="utf-8")
    return subprocess.run(
        command("--timeout", "3", "--quick", *arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def report_of(run: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    """The report that a run printed, which must fit the published schema."""
    assert (run.returncode, run.stderr) == (code, "")
    report = json.loads(run.stdout)
    schema = json.loads(generate.schema_path("boundary").read_text(encoding="utf-8"))
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(report)) == []
    return report


def test_a_limit_on_the_side_is_found_and_written_as_an_envelope(
    started: Pids, tmp_path: Path
) -> None:
    rules = '- {when: "max(h, w) > 42", outcome: hang}'
    arguments = ("--format", "json", "--envelope", "envelope.json")
    report = report_of(boundary(tmp_path, rules, *arguments))
    result = report["result"]
    assert (result["safe_side"], result["first_bad_side"], result["rule"]) == (42, 43, "side")
    assert (result["first_bad_outcome"], result["safe_workspace_bytes"]) == ("hang", None)
    assert (report["schema_version"], report["kind"]) == (1, "boundary")
    # The rule is as exact as with the four hangs that the reference layer takes; the others doubt
    # that it holds in all classes.
    assert report["complete"]
    assert report["workers_lost"] <= 8
    assert sum(each["outcome"] == "hang" for each in report["cases"]) == report["workers_lost"]
    written = json.loads((tmp_path / "envelope.json").read_text(encoding="utf-8"))
    assert (written["max_side"], written["max_workspace_bytes"]) == (42, None)
    assert written["source"] == "measured"
    device = DeviceInfo(**report["device"])
    assert envelope.load(tmp_path / "envelope.json", observe(device, os.environ)).max_side == 42
    changed = dict(os.environ, MIOPEN_DEBUG_CONV_FFT="0")
    with pytest.raises(envelope.EnvelopeError, match="MIOPEN_DEBUG_CONV_FFT was not set and is 0"):
        envelope.load(tmp_path / "envelope.json", observe(device, changed))
    assert started() == []


def test_a_limit_on_the_workspace_lies_between_two_neighbours(
    started: Pids, tmp_path: Path
) -> None:
    rules = '- {when: "workspace > 1048576", outcome: hang}'
    result = report_of(boundary(tmp_path, rules, "--format", "json"))["result"]
    assert (result["safe_side"], result["rule"]) == (42, "workspace")
    assert result["safe_workspace_bytes"] == 1048572
    assert result["first_bad_workspace_bytes"] == 1048608
    assert started() == []


@pytest.mark.parametrize("outcome", ["crash", "error", "wrong", "slow"])
def test_other_failures_are_named(started: Pids, tmp_path: Path, outcome: str) -> None:
    rules = f'- {{when: "max(h, w) > 21", outcome: {outcome}}}'
    report = report_of(boundary(tmp_path, rules, "--format", "json", "--max-side", "64"))
    result = report["result"]
    assert (result["safe_side"], result["first_bad_outcome"]) == (21, outcome)
    assert result["rule"] == "side"
    assert started() == []


def test_what_is_not_monotonic_is_reported(started: Pids, tmp_path: Path) -> None:
    rules = '- {when: "max(h, w) > 42 and max(h, w) < 100", outcome: crash}'
    report = report_of(boundary(tmp_path, rules, "--format", "json", "--max-side", "128"))
    assert (report["result"]["rule"], report["result"]["monotonic"]) == ("unknown", False)
    assert [case["h"] for case in report["result"]["contradicting"]] == [43, 128]
    assert started() == []


def test_everything_passes(started: Pids, tmp_path: Path) -> None:
    rules = '- {when: "h > 9999", outcome: hang}'
    text = boundary(tmp_path, rules, "--max-side", "48")
    assert (text.returncode, text.stderr) == (0, "")
    assert "NO LIMIT up to 48 pixels (0 of 12 hangs" in text.stdout
    assert max(map(len, text.stdout.splitlines())) <= 80
    assert started() == []


def test_a_limit_of_one_class_alone_is_found_and_written(started: Pids, tmp_path: Path) -> None:
    rules = "- {when: \"direction == 'backward' and max(h, w) > 9\", outcome: crash}"
    arguments = ("--max-side", "32", "--format", "json", "--envelope", "envelope.json")
    report = report_of(boundary(tmp_path, rules, *arguments))
    result = report["result"]
    assert (result["rule"], result["first_bad_side"]) == ("unknown", None)
    assert result["largest_side_tried"] == 32
    made = msgspec.json.decode((tmp_path / "envelope.json").read_bytes(), type=Envelope)
    layer = ConvCase(16, 32, 9, 9, 3, 3, padding=1)
    large = msgspec.structs.replace(layer, h=32, w=32)
    for case, allowed in (
        (large, True),
        (msgspec.structs.replace(large, direction="backward-weights"), True),
        (msgspec.structs.replace(large, direction="backward"), False),
    ):
        assert envelope.allows(made, case) == allowed
    assert started() == []


def test_nothing_passes(started: Pids, tmp_path: Path) -> None:
    rules = '- {when: "h > 0", outcome: crash}'
    run = boundary(tmp_path, rules, "--output", "report.xml", "--format", "junit")
    assert (run.returncode, run.stderr) == (1, "")
    assert run.stdout.startswith("NOT KNOWN: nothing passes (2 of 12 hangs")
    suite = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own report
    assert len(suite.findall(".//failure")) == 1
    refused = boundary(tmp_path, rules, "--envelope", "envelope.json")
    assert refused.returncode == 1
    assert refused.stderr == (
        "rdna1-validate: --envelope envelope.json: no envelope: nothing passes\n"
    )
    assert not (tmp_path / "envelope.json").exists()
    assert started() == []


def test_the_hangs_that_are_allowed_bound_the_search(started: Pids, tmp_path: Path) -> None:
    rules = '- {when: "max(h, w) > 42", outcome: crash}'
    report = report_of(boundary(tmp_path, rules, "--format", "json", "--max-hangs", "2"))
    assert (report["complete"], report["workers_lost"]) == (False, 2)
    assert report["stopped"] == "the hang budget of 2 is exhausted"
    result = report["result"]
    assert (result["safe_side"], result["first_bad_side"], result["rule"]) == (42, 43, "unknown")
    assert result["deciding_case"] is not None
    one = report_of(boundary(tmp_path, rules, "--format", "json", "--max-hangs", "1"), 1)
    assert (one["result"]["safe_side"], one["result"]["first_bad_side"]) == (32, 62)
    assert started() == []


def test_an_interrupt_leaves_a_partial_report_and_no_process(
    started: Pids, wait_until: WaitUntil, tmp_path: Path
) -> None:
    # Too few have passed by then for a shorter deadline.
    (tmp_path / "rules.yml").write_text('- {when: "h > 1", outcome: hang}', encoding="utf-8")

    run = interrupt(
        command("--timeout=600", "--quick", "--format=json", "--output=out"),
        tmp_path,
        lambda: wait_until(lambda: any(map(ignores_sigterm, started()))),
    )
    assert (run.returncode, run.stderr) == (130, "")
    report = json.loads((tmp_path / "out").read_text(encoding="utf-8"))
    assert (report["stopped"], report["complete"]) == ("interrupted", False)
    assert report["result"]["largest_side_tried"] == 1
    assert run.stdout.startswith("NOT KNOWN: ")
    assert started() == []


def test_routes_are_measured_when_asked(started: Pids, tmp_path: Path) -> None:
    """Without MIOpen and as products larger maps pass; the guard reads it from the envelope."""
    miopen = "env['RDNA1_BYPASS_MIOPEN'] != '1' and env['RDNA1_MATMUL'] != '1'"
    rules = f'- {{when: "{miopen} and max(h, w) > 14", outcome: crash}}'
    arguments = ("--max-side", "24", "--route", "bypass", "--route", "matmul")
    report = report_of(
        boundary(tmp_path, rules, *arguments, "--format", "json", "--envelope", "envelope.json")
    )
    assert [each["route"] for each in report["routes"]] == ["bypass", "matmul"]
    assert all(each["cases"] and not each["workers_lost"] for each in report["routes"])
    written = json.loads((tmp_path / "envelope.json").read_text(encoding="utf-8"))
    assert written["max_side"] == 14
    assert written["routes"]["bypass"]["max_side"] == 24
    assert written["routes"]["matmul"]["max_workspace_bytes"] > 0
    assert started() == []
