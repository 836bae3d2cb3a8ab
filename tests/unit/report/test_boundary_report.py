"""A boundary as text and as JUnit; the device is a double."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from rdna1.conv.case import ConvCase
from rdna1.conv.result import ConvOutcome
from rdna1.measure.boundary.kinds import Form
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.conditions import Conditions
from rdna1.report.boundary import boundary_junit, boundary_text, boundary_verdict
from support.convolutions import investigate, losses, pretend


def report_on(
    fails: Callable[[ConvCase], bool],
    outcome: ConvOutcome = "hang",
    max_hangs: int = 12,
    stopped: str = "",
    form: Form | None = None,
) -> BoundaryReport:
    result, cases = investigate(pretend(fails, outcome), max_hangs=max_hangs, form=form)
    return BoundaryReport(
        device=None,
        result=result,
        complete=not stopped,
        stopped=stopped,
        max_side=512,
        max_hangs=max_hangs,
        workers_lost=losses(cases),
        wall_seconds=1.5,
        measured=Conditions(),
        cases=cases,
    )


def by_side(case: ConvCase) -> bool:
    return max(case.h, case.w) > 42


@pytest.mark.parametrize(
    ("make_report", "verdict", "safe"),
    [
        (
            lambda: report_on(by_side),
            "LIMIT: 42 pixels pass, 43 hangs; rule side (4 of 12 hangs, 1.5 s)",
            "Safe: maps up to 42 pixels high and wide, whatever their channels.",
        ),
        (
            lambda: report_on(by_side, "wrong"),
            "LIMIT: 42 pixels pass, 43 gives wrong results; rule side (0 of 12 hangs, 1.5 s)",
            "Safe: maps up to 42 pixels high and wide",
        ),
        (
            lambda: report_on(lambda case: case.workspace_bytes > 2**20, "crash"),
            "LIMIT: 42 pixels pass, 43 crashes the process; rule workspace (6 of 12",
            "up to 1048572; the more channels",
        ),
        (
            lambda: report_on(lambda case: case.h > 42, "slow"),
            "LIMIT: 42 pixels pass, 43 is far too slow; rule unknown (0 of 12 hangs, 1.5 s)",
            "Safe as far as is known: maps up to 42 pixels, with up to 16 input channels.",
        ),
        (
            lambda: report_on(lambda _: False),
            "NO LIMIT up to 512 pixels (0 of 12 hangs, 1.5 s)",
            "Safe: everything that was tried.",
        ),
        (
            lambda: report_on(lambda case: case.direction == "backward", form="quick"),
            "LIMIT in other layers: the reference layer passes at every side, other layers do not",
            "Safe: 3x3 layers from 16 to 32 channels up to 512 pixels, and what passed in each",
        ),
        (
            lambda: report_on(lambda _: True),
            "NOT KNOWN: nothing passes (2 of 12 hangs, 1.5 s)",
            "Do: check the installation with rdna1-preflight",
        ),
        (
            lambda: report_on(by_side, max_hangs=1, stopped="interrupted"),
            "NOT EXACT: 32 pixels pass, 62 hangs (1 of 1 hangs, 1.5 s)",
            "Stopped early: interrupted. This is what was known by then.",
        ),
    ],
)
def test_the_verdict_says_what_is_safe(
    make_report: Callable[[], BoundaryReport], verdict: str, safe: str
) -> None:
    report = make_report()
    text = boundary_text(report, width=200, colour=False)
    assert boundary_verdict(report).startswith(verdict)
    assert verdict in text
    assert safe in text


def test_the_path_is_short_and_fits() -> None:
    text = boundary_text(report_on(by_side), width=80, colour=False)
    assert "16->32 3x3 33x33 .. 42x42, 10 cases" in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_undecided_rule_names_the_case_that_would_tell() -> None:
    report = report_on(by_side, max_hangs=2, stopped="the hang budget of 2 is exhausted")
    case = report.result.deciding_case
    assert case is not None
    text = boundary_text(report, width=200, colour=False)
    assert f"Undecided: {case.label} would tell." in text


def test_junit_fails_when_the_limit_is_not_known_only() -> None:
    for report, failures in (
        (report_on(by_side), 0),
        (report_on(lambda case: case.direction == "backward", form="quick"), 0),
        (report_on(lambda _: True), 1),
    ):
        root = ET.fromstring(boundary_junit(report))  # noqa: S314 - our own report
        assert len(root.findall(".//testcase")) == 1 + len(report.cases)
        assert len(root.findall(".//failure")) == failures
        assert root.find(".//testcase[@name='limit']") is not None
