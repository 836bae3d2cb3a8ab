"""The one filter for names in a message."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rdna1.report.json import to_json
from rdna1.target.printable import printable, printable_lines
from support.modules import load_by_path

ROOT = Path(__file__).parents[3]
UNFILTERED = re.compile(r'\b(?:msg|holder)=(?:str\(error\)|f"\{error)|ActionFail\(str\(')
FILTERS = load_by_path(ROOT / "installer/ansible_plugins/filter/rdna1.py").FilterModule().filters()

# An escape sequence, its eight-bit form, a bell, a forged line, a turn of direction, a separator.
NASTY = "a\x1b]0;title\x07\x9b2J\rok\nPASS\u202e\u2028\u200b\x7f\udcff\U000e0041"


def test_nothing_steers_the_terminal() -> None:
    assert printable(NASTY).isprintable()
    assert printable("Grüße, 日本語 and spaces") == "Grüße, 日本語 and spaces"


def test_the_lines_of_a_tool_stay_lines() -> None:
    assert printable_lines("one\ntwo\x1b[1m") == "one\ntwo\\x1b[1m"


def test_roles_have_the_filter_for_names_and_lists() -> None:
    assert FILTERS["rdna1_printable"](NASTY).isprintable()
    assert all(name.isprintable() for name in FILTERS["rdna1_printable"]([NASTY, "b\n"]))
    assert "\x1b" not in FILTERS["rdna1_failure"]({"msg": NASTY})


def test_json_on_a_terminal_steers_nothing_and_says_the_same() -> None:
    value = {"name": NASTY.replace("\udcff", "")}
    text = to_json(value)
    assert text.replace("\n", "").isprintable()
    assert json.loads(text) == value


@pytest.mark.parametrize(
    "role", sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
)
def test_messages_of_roles_filter_names_that_others_chose(role: str) -> None:
    chosen_by_others = (
        *("plan.forbidden", "stdout_lines", "__rollback_shown", "__rollback_left"),
        *("rocm_plan.others", "__rocm_others_needed_by", "__rocm_unknown_users"),
        *(".errors[",),
    )
    for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
        shown = False
        for line in path.read_text(encoding="utf-8").splitlines():
            key = line.strip().partition(":")[0]
            if line.strip().startswith(("msg:", "fail_msg:")):
                shown = True
            elif ": " in line and key.replace("_", "").isalpha():
                shown = False
            named = [name for name in chosen_by_others if name in line and "{{" in line]
            if shown and named:
                assert "rdna1_printable" in line, f"{path}: {line.strip()}"


@pytest.mark.parametrize("kind", ["modules", "action"])
def test_errors_of_modules_and_actions_pass_the_filter(kind: str) -> None:
    for path in (ROOT / "installer/ansible_plugins" / kind).glob("*.py"):
        assert not UNFILTERED.findall(path.read_text(encoding="utf-8")), path
