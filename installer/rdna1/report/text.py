"""A preflight report for people."""

from __future__ import annotations

from collections import Counter
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rdna1.preflight import Finding, Report
from rdna1.preflight.model import Status
from rdna1.report.console import as_text, printable

_MARKS: Final = {
    "pass": ("pass", "green"),
    "warn": ("WARN", "yellow"),
    "fail": ("FAIL", "bold red"),
    "skip": ("skip", "bright_black"),
    "ignored": ("ignored", "magenta"),
}
_COUNTED: Final[dict[Status, str]] = {
    "pass": "passed",
    "warn": "warned",
    "fail": "failed",
    "skip": "skipped",
    "ignored": "ignored",
}
_VERDICTS: Final = {
    "pass": ("PASS", "the machine is ready for the stack", "bold green"),
    "warn": ("WARN", "the machine can hold the stack; mind the warnings", "bold yellow"),
    "refuse": (
        "REFUSE",
        "nothing should be installed before the failures are dealt with",
        "bold red",
    ),
}
_DETAILED: Final = ("warn", "fail", "ignored")


def preflight_text(report: Report, *, width: int, colour: bool) -> str:
    """Write a report as text.

    Args:
        report: the findings.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.

    Returns:
        One line a finding; warnings, failures and ignored ones with evidence and remedy;
        counts and the verdict at the end. Control characters are shown escaped.
    """
    return as_text(
        _findings(report.checks),
        "",
        _counts(report.checks),
        _verdict(report),
        width=width,
        colour=colour,
    )


def _findings(findings: list[Finding]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark, style = _MARKS[finding.status]
        table.add_row(Text(mark, style), Text(finding.id), _details(finding))
    return table


def _details(finding: Finding) -> RenderableType:
    summary = Text(printable(finding.summary))
    if finding.status not in _DETAILED:
        return summary
    details = Table.grid(padding=(0, 1, 0, 0))
    details.add_column(no_wrap=True, min_width=2)
    details.add_column(overflow="fold")
    for line in finding.evidence:
        details.add_row("-", Text(printable(line)))
    if finding.remedy:
        details.add_row(Text("=>", "cyan"), Text(printable(finding.remedy), "cyan"))
    return Group(summary, details)


def _counts(findings: list[Finding]) -> Text:
    counted = Counter(finding.status for finding in findings)
    counts = [f"{counted[status]} {word}" for status, word in _COUNTED.items() if counted[status]]
    return Text(f"{len(findings)} checks: {', '.join(counts)}")


def _verdict(report: Report) -> Text:
    word, meaning, style = _VERDICTS[report.verdict]
    ignored = [finding.id for finding in report.checks if finding.status == "ignored"]
    note = f" (ignored: {', '.join(ignored)})" if ignored else ""
    return Text.assemble((word, style), f" {report.stack}: {meaning}{note}")
