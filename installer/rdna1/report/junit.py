"""JUnit XML, the form that continuous integration systems read.

junitparser writes characters that no XML parser reads again, and every machine that is provisioned
would have it: what a few elements take is shorter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec

if TYPE_CHECKING:
    from rdna1.preflight import Finding, Report

# XML 1.0 cannot hold these characters, not even as references.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnitCase(msgspec.Struct, frozen=True):
    """One test case.

    Attributes:
        name: what was tested.
        classname: the group it belongs to.
        seconds: how long it took.
        failure: why it failed, or None.
        skipped: why it did not run, or None.
        output: anything else worth reading.
    """

    name: str
    classname: str
    seconds: float
    failure: str | None
    skipped: str | None
    output: str


def junit_xml(suite: str, cases: Iterable[JUnitCase]) -> str:
    """Write cases as one test suite.

    Args:
        suite: name of the suite.
        cases: in the order in which they are shown.

    Returns:
        An XML document; characters that XML cannot hold are replaced by U+FFFD.
    """
    listed = list(cases)
    counts = {
        "tests": str(len(listed)),
        "failures": str(sum(case.failure is not None for case in listed)),
        "errors": "0",
        "skipped": str(sum(case.skipped is not None for case in listed)),
        "time": _seconds(sum(case.seconds for case in listed)),
    }
    root = ET.Element("testsuites", counts)
    element = ET.SubElement(root, "testsuite", {"name": _clean(suite), **counts})
    for case in listed:
        _add_case(element, case)
    return _document(root)


def preflight_junit(report: Report) -> str:
    """Write a preflight report as JUnit: one case a check, warnings in the output."""
    return junit_xml(f"rdna1-preflight {report.stack}", map(_preflight_case, report.checks))


def _preflight_case(finding: Finding) -> JUnitCase:
    details = [*finding.evidence, *([f"Remedy: {finding.remedy}"] if finding.remedy else [])]
    text = "\n".join([finding.summary, *details])
    return JUnitCase(
        name=finding.id,
        classname="rdna1.preflight",
        seconds=0.0,
        failure=text if finding.status == "fail" else None,
        skipped=f"{finding.status}: {text}" if finding.status in ("skip", "ignored") else None,
        output=f"{finding.status}: {text}" if finding.status in ("pass", "warn") else "",
    )


def _add_case(parent: ET.Element, case: JUnitCase) -> None:
    element = ET.SubElement(
        parent,
        "testcase",
        {
            "name": _clean(case.name),
            "classname": _clean(case.classname),
            "time": _seconds(case.seconds),
        },
    )
    for tag, reason in (("failure", case.failure), ("skipped", case.skipped)):
        if reason is not None:
            first_line = reason.partition("\n")[0]
            child = ET.SubElement(element, tag, {"message": _clean(first_line)})
            child.text = _clean(reason)
    if case.output:
        ET.SubElement(element, "system-out").text = _clean(case.output)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def joined_junit(documents: Iterable[str]) -> str:
    """Make one document of several that `junit_xml` has written."""
    roots = [ET.fromstring(document.encode()) for document in documents]  # noqa: S314 - our own
    total = ET.Element("testsuites")
    for name in ("tests", "failures", "errors", "skipped"):
        total.set(name, str(sum(int(root.attrib[name]) for root in roots)))
    total.set("time", _seconds(sum(float(root.attrib["time"]) for root in roots)))
    for root in roots:
        total.extend(root)
    return _document(total)


def _document(root: ET.Element) -> str:
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
