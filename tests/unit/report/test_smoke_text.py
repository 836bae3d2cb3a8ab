"""A smoke test's report, for users and as JUnit."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult
from rdna1.measure.smoke import SmokeReport
from rdna1.report.smoke import smoke_junit, smoke_text, smoke_verdict

LAYER = ConvCase(64, 32, 21, 21, 2, 2, stride=2, transposed=True)
LATE = "took 1 s; 0.002 s is what the other cases lead to expect"


def report(*results: CaseResult, verdict: Any = "pass") -> SmokeReport:
    return SmokeReport(
        device=None,
        verdict=verdict,
        interrupted=False,
        not_run=0,
        workers_lost=0,
        wall_seconds=2.0,
        cases=list(results),
    )


SLOW = report(
    CaseResult(LAYER, "slow", 1.002, 0.1, 1e-7, LATE),
    CaseResult(msgspec.structs.replace(LAYER, direction="backward"), "pass", 0.002),
)


def test_slow_is_noted_and_counted_among_what_passed() -> None:
    assert smoke_verdict(SLOW) == "PASS: 2 of 2 convolutions passed, 1 of them slow, 2.0 s"
    text = smoke_text(SLOW, width=80, colour=False)
    assert f"slow: transposed 64->32 2x2 s2 21x21 forward\n  {LATE}\n" in text
    assert "\x1b[33mslow" in smoke_text(SLOW, width=80, colour=True)


def test_slow_is_no_failure_for_continuous_integration() -> None:
    suite = ET.fromstring(smoke_junit(SLOW))  # noqa: S314 - our own report
    assert suite.findall(".//failure") == []
    output = [element.text or "" for element in suite.findall(".//system-out")]
    assert len(output) == 1
    assert LATE in output[0]


@pytest.mark.parametrize("outcome", ["hang", "crash", "error", "wrong"])
def test_anything_else_is_a_failure(outcome: Any) -> None:
    failed = report(CaseResult(LAYER, outcome, 1.0, detail="why"), verdict="fail")
    assert smoke_verdict(failed) == "FAIL: 0 of 1 convolutions passed, 2.0 s"
    suite = ET.fromstring(smoke_junit(failed))  # noqa: S314 - our own report
    assert len(suite.findall(".//failure")) == 1
