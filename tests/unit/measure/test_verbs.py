"""The table of measurements: what is in it has a command, renderings and a schema."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rdna1.cli.validate import main
from rdna1.measure.conditions import Conditions
from rdna1.measure.head import Head
from rdna1.measure.result_file import load_result
from rdna1.measure.tune.report import TuneReport
from rdna1.measure.verbs import VERBS, Reports, Verb

ROOT = Path(__file__).parents[3]
jsonschema: Any = import_module("jsonschema")

TUNE = TuneReport(
    device=None,
    stack="rocm-5.7",
    trials=[],
    ranking=[],
    winner=None,
    for_role=None,
    complete=False,
    stopped="interrupted",
    max_side=42,
    max_hangs=1,
    workers_lost=0,
    wall_seconds=1.5,
    measured=Conditions(),
)


@pytest.fixture
def tuned(tmp_path: Path) -> str:
    """The file of a comparison that nobody won."""
    file = tmp_path / "tune.json"
    file.write_bytes(msgspec.json.encode(TUNE))
    return str(file)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_measurement_has_all_that_its_name_promises(verb: Verb) -> None:
    assert callable(import_module(f"rdna1.cli.validate.{verb.name}").add_to)
    report = import_module(f"rdna1.report.{verb.name}")
    assert all(callable(getattr(report, f"{verb.name}_{f}")) for f in ("text", "junit", "verdict"))
    assert (ROOT / f"docs/schemas/{verb.name}.schema.json").is_file()
    assert verb.report.__struct_config__.tag == verb.name
    assert {"schema_version", "verdict"} <= set(verb.report.__struct_fields__)


def test_several_reports_are_of_the_types_of_the_table() -> None:
    kinds = msgspec.json.schema(Reports)["$defs"]["Reports"]["properties"]["reports"]["items"]
    assert set(kinds["discriminator"]["mapping"]) == {verb.name for verb in VERBS}


def test_a_comparison_is_shown_again(tuned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", tuned]) == 1
    assert "NO WINNER: no candidate passed the smoke test" in capsys.readouterr().out
    assert main(["report", tuned, "--format", "junit"]) == 1
    assert 'testsuite name="rdna1-validate tune"' in capsys.readouterr().out
    assert main(["report", tuned, tuned, "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "docs/schemas/reports.schema.json").read_text())
    jsonschema.validate(document, schema)
    assert [report["kind"] for report in document["reports"]] == ["tune", "tune"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--format", "html"], "a page is about one environment, tune compares several. Remedy: "),
        (["--envelope", "e.json"], "compares environments, and an envelope is of one. Remedy: "),
    ],
)
def test_a_comparison_is_about_no_one_environment(
    tuned: str, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", tuned, *more]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("given", ["", "pass"], ids=["an earlier version's", "a forged one"])
def test_the_verdict_follows_from_the_result(tmp_path: Path, given: str) -> None:
    document = json.loads(msgspec.json.encode(TUNE))
    del document["verdict"]
    if given:
        document["verdict"] = given
    file = tmp_path / "old.json"
    file.write_text(json.dumps(document))
    report: Head = load_result(file)
    assert (report.verdict, report.passed, report.was_interrupted) == ("fail", False, True)
