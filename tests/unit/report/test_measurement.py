"""The page and the picture of measurements; the device is a double."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable

import msgspec
import pytest
from matplotlib.image import imread

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult, DeviceInfo
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.conditions import Conditions
from rdna1.measure.smoke import SmokeReport
from rdna1.report.measurement import measurement_page
from rdna1.report.measurement.axis import LogAxis
from rdna1.report.measurement.figures import maps, path, times
from rdna1.report.measurement.subject import subjects
from rdna1.report.measurement.verdict import verdict
from support.convolutions import investigate, losses, pretend
from support.html_page import HtmlPage

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7 * 7 }}\x1b[31m $x$'


def by_side(case: ConvCase) -> bool:
    return max(case.h, case.w) > 42


def by_workspace(case: ConvCase) -> bool:
    return case.workspace_bytes > 2**20


def device(name: str = "simulated by a double") -> DeviceInfo:
    return DeviceInfo("sim:x", "sim", name, "2.2.2", None, None)


def boundary(fails: Callable[[ConvCase], bool], name: str = "a double") -> BoundaryReport:
    result, cases = investigate(pretend(fails))
    return BoundaryReport(
        device=device(name),
        result=result,
        complete=True,
        stopped="",
        max_side=512,
        max_hangs=12,
        workers_lost=losses(cases),
        wall_seconds=1.5,
        measured=Conditions(environment={"HSA_X": name}),
        cases=cases,
    )


def smoke(name: str = "a double") -> SmokeReport:
    """Four channels by five sides, of which the largest two of the most channels hang."""
    cases = []
    for channels in (8, 16, 32, 64):
        for side in (8, 16, 24, 32, 40):
            case = ConvCase(channels, 32, side, side, 3, 3, padding=1)
            bad = channels == 64 and side > 24
            seconds = side * channels / 1e5
            cases.append(
                CaseResult(case, "hang", 15.0, detail=name)
                if bad
                else CaseResult(case, "pass", seconds, 1e-6, 1e-7, "", 5 * seconds)
            )
    return SmokeReport(
        device=device(name),
        verdict="fail",
        interrupted=False,
        not_run=0,
        workers_lost=2,
        wall_seconds=2.0,
        cases=cases,
    )


def page(*reports: msgspec.Struct) -> HtmlPage:
    source = measurement_page("html", reports)
    assert isinstance(source, str)
    return HtmlPage(source)


@pytest.mark.parametrize(
    ("fails", "headline", "found"),
    [
        (by_side, "work on maps of up to 42x42 pixels; larger ones hang", "limit"),
        (by_workspace, "up to a workspace of 1024 KiB (1048572 bytes)", "limit"),
        (lambda _: False, "Every convolution that was tried works", "everything-works"),
        (lambda _: True, "No convolution works on this device", "nothing-works"),
        (lambda case: case.h > 42, "what decides is not known", "unclear"),
    ],
)
def test_the_verdict_is_in_words_and_chooses_what_to_do(
    fails: Callable[[ConvCase], bool], headline: str, found: str
) -> None:
    report = boundary(fails)
    said = verdict(subjects([report])[0])
    assert headline in said.headline
    assert said.found == found
    assert all(found in way.after for way in said.ways)
    assert bool(said.ways) == (found != "everything-works")
    text = page(report).text
    assert said.headline in text
    assert "SIMULATED" in text
    assert all(line in text for line in [*said.details, *said.steps])


def test_sides_by_channels_stay_inside_the_workspace() -> None:
    safe = verdict(subjects([boundary(by_workspace)])[0]).safe
    assert (16, 42) in [(each.channels, each.side) for each in safe]
    for each in safe:
        cases = [
            ConvCase(each.channels, 1, s, s, 3, 3, padding=1) for s in (each.side, each.side + 1)
        ]
        assert [by_workspace(case) for case in cases] == [False, True]


def test_nothing_on_the_page_acts_or_loads() -> None:
    shown = page(boundary(by_side, HOSTILE), smoke(HOSTILE))
    assert not set(shown.tags) & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert "<script>alert(1)</script>" in shown.text
    assert "{{ 7 * 7 }}" in shown.text
    assert "\x1b" not in shown.text
    addresses = [value for name, value in shown.attributes if name in ("href", "src")]
    assert all(address.startswith("data:application/json;base64,") for address in addresses)
    assert not [name for name, _ in shown.attributes if name.startswith("on")]


def test_the_page_holds_the_results() -> None:
    reports = (boundary(by_side), smoke())
    links = [value for name, value in page(*reports).attributes if name == "href"]
    held = [json.loads(base64.b64decode(link.partition(",")[2])) for link in links]
    assert held == [msgspec.to_builtins(report) for report in reports]


def test_every_case_is_in_the_table() -> None:
    report = smoke()
    text = page(report).text
    assert all(f"{each.case.label} {each.outcome}" in text for each in report.cases)


def test_reports_about_one_device_are_together() -> None:
    found = subjects([boundary(by_side), smoke("another"), smoke()])
    assert [len(subject.measurements) for subject in found] == [2, 1]


@pytest.mark.parametrize("fails", [by_side, by_workspace])
def test_the_line_of_the_rule_divides_the_map(fails: Callable[[ConvCase], bool]) -> None:
    drawn = maps(subjects([boundary(fails)])[0])[0]
    (x1, y1), (x2, _) = drawn.limit
    for mark in drawn.marks:
        # Between logarithmic axes the line is straight: size * channels ** slope is its own.
        slope = 0.0 if x1 == x2 else 0.5
        assert (mark.x * mark.y**slope < x1 * y1**slope * 1.00001) == (mark.outcome == "pass")


def test_a_search_narrows_its_bracket_to_one_pixel() -> None:
    drawn = path(subjects([boundary(by_side)])[0].search)
    assert drawn is not None
    assert (drawn.steps[-1].safe, drawn.steps[-1].bad) == (42, 43)
    for step in drawn.steps:
        assert step.safe is None or step.bad is None or step.safe < step.bad


def test_curves_are_in_milliseconds_and_leave_out_what_failed() -> None:
    (drawn,) = times(subjects([smoke()])[0])
    (curve,) = [each for each in drawn.series if each.name.startswith("64 ")]
    assert [side for side, _ in curve.warm] == [8, 16, 24]
    assert [ms for _, ms in curve.warm] == pytest.approx([5.12, 10.24, 15.36])
    assert curve.cold[0][1] == pytest.approx(25.6)
    assert [mark.outcome for mark in drawn.failures] == ["hang", "hang"]


@pytest.mark.parametrize(
    "make_report",
    [lambda: boundary(by_side, HOSTILE), lambda: boundary(lambda _: True), smoke],
)
def test_the_picture_is_a_png_that_shows_something(
    make_report: Callable[[], msgspec.Struct],
) -> None:
    content = measurement_page("png", [make_report()])
    assert isinstance(content, bytes)
    pixels = imread(io.BytesIO(content), format="png")
    assert pixels.shape[0] > 300
    assert len({tuple(row) for row in pixels.reshape(-1, pixels.shape[2])[::7].tolist()}) > 20


def test_a_report_without_cases_says_that_nothing_was_measured() -> None:
    empty = msgspec.structs.replace(smoke(), cases=[], device=None, not_run=3)
    assert re.search("Nothing was measured.*3 cases were not run", page(empty).text)
    assert measurement_page("png", [empty])


def test_ticks_are_powers_inside_the_axis() -> None:
    assert LogAxis(1, 512).ticks() == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert LogAxis(33, 40).ticks() == []
