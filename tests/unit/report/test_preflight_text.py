from __future__ import annotations

import json

import pytest

from rdna1.preflight import Finding, Report
from rdna1.report.json import to_json
from rdna1.report.text import preflight_text

CHECKS = [
    Finding("good", "Good", "pass", "all is well", ["hidden proof"], "", []),
    Finding("doubtful", "Doubtful", "warn", "hm", ["/etc/file:3: A=1"], "think about it", []),
    Finding("bad", "Bad", "fail", "no card " * 20, ["first", "second"], "buy one", []),
    Finding("later", "Later", "skip", "blocked by bad", [], "", []),
    Finding("known", "Known", "ignored", "as expected", ["proof"], "leave it", []),
]
REPORT = Report(stack="rocm-5.7", verdict="refuse", checks=CHECKS)


def test_what_a_person_reads() -> None:
    assert preflight_text(REPORT, width=60, colour=False) == (
        "pass     good      all is well\n"
        "WARN     doubtful  hm\n"
        "                   -  /etc/file:3: A=1\n"
        "                   => think about it\n"
        "FAIL     bad       no card no card no card no card no card\n"
        "                   no card no card no card no card no card\n"
        "                   no card no card no card no card no card\n"
        "                   no card no card no card no card no card\n"
        "                   -  first\n"
        "                   -  second\n"
        "                   => buy one\n"
        "skip     later     blocked by bad\n"
        "ignored  known     as expected\n"
        "                   -  proof\n"
        "                   => leave it\n"
        "\n"
        "5 checks: 1 passed, 1 warned, 1 failed, 1 skipped, 1 ignored\n"
        "REFUSE rocm-5.7: nothing should be installed before the\n"
        "failures are dealt with (ignored: known)\n"
    )


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = preflight_text(REPORT, width=width, colour=False).splitlines()
    assert max(map(len, lines)) <= width


def test_colours_only_when_asked_for() -> None:
    assert "\x1b[" in preflight_text(REPORT, width=80, colour=True)
    assert "\x1b" not in preflight_text(REPORT, width=80, colour=False)


def test_evidence_cannot_steer_the_terminal_or_rich() -> None:
    evidence = ["\x1b[2Jcleared\u202e", "[red]markup[/red] :smile:"]
    finding = Finding("x", "X", "fail", "a\nb", evidence, "c", [])
    text = preflight_text(
        Report(stack="s", verdict="refuse", checks=[finding]), width=80, colour=False
    )
    assert "\\x1b[2Jcleared\\u202e" in text
    assert "[red]markup[/red] :smile:" in text
    assert "a\\nb" in text


def test_json_is_indented_and_ends_the_line() -> None:
    text = to_json(REPORT)
    assert json.loads(text)["checks"][1]["evidence"] == ["/etc/file:3: A=1"]
    assert text.startswith('{\n  "schema_version": 1,\n')
    assert text.endswith("}\n")
