from __future__ import annotations

import json

import pytest

from rdna1.preflight import Finding, Report
from rdna1.report.json import to_json
from rdna1.report.preflight import preflight_text

CHECKS = [
    Finding("good", "Good", "pass", "all is well", ["hidden proof"], "", []),
    Finding("doubtful", "Doubtful", "warn", "hm", ["/etc/file:3: A=1"], "think about it", []),
    Finding("bad", "Bad", "fail", "no card " * 20, ["first", "second"], "buy one", []),
    Finding("later", "Later", "skip", "blocked by bad", [], "", []),
    Finding("other", "Other", "skip", "could not be read", [], "", []),
    Finding("last", "Last", "skip", "blocked by bad", [], "", []),
    Finding("known", "Known", "ignored", "as expected", ["proof"], "leave it", []),
    Finding("fine", "Fine", "pass", "all is fine", [], "", []),
]
REPORT = Report(stack="rocm-5.7", verdict="refuse", checks=CHECKS)


def test_what_a_person_reads() -> None:
    assert preflight_text(REPORT, width=60, colour=False) == (
        "pass  good, fine\n"
        "skip  later, last: blocked by bad\n"
        "skip  other: could not be read\n"
        "\n"
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
        "ignored  known     as expected\n"
        "                   -  proof\n"
        "                   => leave it\n"
        "\n"
        "8 checks: 2 passed, 1 warned, 1 failed, 3 skipped, 1 ignored\n"
        "(-v shows each)\n"
        "REFUSE rocm-5.7: fix the failures before installing\n"
        "(ignored: known)\n"
    )


def test_verbose_shows_every_finding_in_the_order_of_the_checks() -> None:
    assert preflight_text(REPORT, width=60, colour=False, verbose=True) == (
        "pass     good      all is well\n"
        "                   -  hidden proof\n"
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
        "skip     other     could not be read\n"
        "skip     last      blocked by bad\n"
        "ignored  known     as expected\n"
        "                   -  proof\n"
        "                   => leave it\n"
        "pass     fine      all is fine\n"
        "\n"
        "8 checks: 2 passed, 1 warned, 1 failed, 3 skipped, 1 ignored\n"
        "REFUSE rocm-5.7: fix the failures before installing\n"
        "(ignored: known)\n"
    )


def test_the_ids_of_what_passed_are_wrapped() -> None:
    passed = [Finding(f"check-{n}", "A", "pass", "well", [], "", []) for n in range(12)]
    report = Report(stack="rocm-5.7", verdict="pass", checks=passed)
    assert preflight_text(report, width=60, colour=False) == (
        "pass  check-0, check-1, check-2, check-3, check-4, check-5,\n"
        "      check-6, check-7, check-8, check-9, check-10, check-11\n"
        "\n"
        "12 checks: 12 passed (-v shows each)\n"
        "PASS rocm-5.7: the machine is ready for the stack\n"
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
