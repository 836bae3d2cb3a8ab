from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from rdna1.preflight import Finding, Report
from rdna1.preflight.model import Status
from rdna1.report.junit import JUnitCase, junit_xml, preflight_junit


def finding(status: Status) -> Finding:
    return Finding("some-id", "Title", status, "what", ["proof"], "cure", ["ref"])


def test_counts_and_cases() -> None:
    cases = [
        JUnitCase("a", "suite.x", 0.25, None, None, ""),
        JUnitCase("b", "suite.x", 1.5, "first\nsecond", None, "log"),
        JUnitCase("c", "suite.y", 0, None, "no card", ""),
    ]
    suite = ET.fromstring(junit_xml("rdna1", cases)).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    counts = {"tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": "1.750"}
    assert suite.attrib == {"name": "rdna1", **counts}
    a, b, c = suite.findall("testcase")
    assert (a.attrib, list(a)) == ({"name": "a", "classname": "suite.x", "time": "0.250"}, [])
    failure, output = list(b)
    assert (failure.tag, failure.get("message"), failure.text) == (
        "failure",
        "first",
        "first\nsecond",
    )
    assert (output.tag, output.text) == ("system-out", "log")
    assert [child.tag for child in c] == ["skipped"]


@given(st.text())
def test_any_text_makes_readable_xml(text: str) -> None:
    document = junit_xml(text, [JUnitCase(text, text, 0, text, text, text)])
    root = ET.fromstring(document)  # noqa: S314 - our own
    assert root.find("testsuite/testcase/failure") is not None


def test_findings_become_cases() -> None:
    statuses: list[Status] = ["pass", "warn", "fail", "skip", "ignored"]
    report = Report(stack="s", verdict="refuse", checks=[finding(status) for status in statuses])
    root = ET.fromstring(preflight_junit(report))  # noqa: S314 - our own
    children = [[child.tag for child in case] for case in root.iter("testcase")]
    assert children == [["system-out"], ["system-out"], ["failure"], ["skipped"], ["skipped"]]
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.text == "what\nproof\nRemedy: cure"
    assert [skip.get("message") for skip in root.iter("skipped")] == ["skip: what", "ignored: what"]
