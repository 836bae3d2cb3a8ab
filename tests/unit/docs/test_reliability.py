"""docs/reliability.md: its states are the phases of the code, and a case reaches each of them."""

from __future__ import annotations

import json
import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from faults.__main__ import chosen_cases, parser
from faults.cases.bench import Verdict
from faults.cases.table import NOT_REACHED, cases
from faults.phases import PHASES
from faults.record import record
from faults.steps import StepOutcome, draw
from faults.summary import Summary

DOCS = Path(__file__).parents[3] / "docs"
DATA = yaml.safe_load((DOCS / "reliability.yml").read_text())
NAMES = [case.name for case in cases()]


def test_the_states_are_those_of_the_phases_in_their_order() -> None:
    phases = [f"{phase.playbook}/{phase.name}" for phase in PHASES]
    assert [state["phase"] for state in DATA["states"]] == phases


@pytest.mark.parametrize("state", DATA["states"], ids=lambda state: state["phase"])
def test_a_case_reaches_the_state_or_the_page_says_that_none_does(
    state: dict[str, str],
) -> None:
    is_reached = f"power-{state['phase'].replace('/', '-')}" in NAMES
    if state["phase"].partition("/")[2] in NOT_REACHED:
        assert not is_reached
        assert state["not_reached"]
    else:
        assert is_reached
        assert "not_reached" not in state


@pytest.mark.parametrize("fault", DATA["faults"], ids=lambda fault: fault["id"])
def test_a_fault_names_cases_or_a_test_that_exist_and_commits(fault: dict[str, object]) -> None:
    patterns = fault.get("cases", [])
    assert isinstance(patterns, list)
    assert patterns or (DOCS.parent / str(fault["test"])).exists()
    assert all(any(fnmatchcase(name, pattern) for name in NAMES) for pattern in patterns)
    commits = re.compile(r"[0-9a-f]{7}(, [0-9a-f]{7})*")
    assert fault["introduced"] == "unknown" or commits.fullmatch(str(fault["introduced"]))
    assert fault["mended"] == "" or commits.fullmatch(str(fault["mended"]))


def test_ids_of_faults_are_unique() -> None:
    ids = [fault["id"] for fault in DATA["faults"]]
    assert len(set(ids)) == len(ids)


def test_every_command_of_the_page_is_one() -> None:
    commands = re.findall(r"\./run faults( [^`\n#]*)?", (DOCS / "reliability.md").read_text())
    assert commands
    for words in map(shlex.split, commands):
        if "--help" not in words and "--record" not in words:
            chosen_cases(parser().parse_args(words))


def test_results_take_the_place_of_earlier_ones_of_the_same_cases(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text('{"cases": {"a": {"legal": false}, "b": {"legal": true}}, "kills": []}')
    step = StepOutcome(draw(3, 1), "venv", 1, 3.0, ["files: x"], [], 0, 9.0, "here")
    verdict = Verdict("a", [], 1.0, "here", ["dpkg-state"])
    for _ in range(2):
        record(Summary(3, {}, [step], [verdict], 1, 9.0), file)
    known = json.loads(file.read_text())
    assert known["cases"]["a"]["legal"] is True
    assert known["cases"]["a"]["preflight"] == ["dpkg-state"]
    assert known["cases"]["b"] == {"legal": True}
    (kills,) = known["kills"]
    assert (kills["seed"], kills["kills"], kills["hit"], kills["illegal"]) == (3, 1, 1, 1)
