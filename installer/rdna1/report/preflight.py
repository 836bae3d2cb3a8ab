"""A preflight report as text."""

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
    "warn": ("WARN", "the stack can be installed: review the warnings", "bold yellow"),
    "refuse": (
        "REFUSE",
        "fix the failures before installing",
        "bold red",
    ),
}


def preflight_text(report: Report, *, width: int, colour: bool, verbose: bool = False) -> str:
    """Write a report as text.

    Args:
        report: the findings.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
        verbose: show every finding in full, in the order of the checks.

    Returns:
        The ids of the checks that passed, and of those that were skipped with the reason;
        the other findings with evidence and remedy; counts and the verdict at the end.
        Control characters are shown escaped.
    """
    folded = [] if verbose else [f for f in report.checks if f.status in ("pass", "skip")]
    shown = [finding for finding in report.checks if finding not in folded]
    # The findings to act on come last, where a reader of a terminal looks first.
    parts = [part for part in (_folded(folded), _findings(shown)) if part.row_count]
    return as_text(
        *(line for part in parts for line in (part, "")),
        _counts(report.checks, folded=bool(folded)),
        _verdict(report),
        width=width,
        colour=colour,
    )


def _folded(findings: list[Finding]) -> Table:
    """Return the ids that share a status and, where they were skipped, the reason."""
    alike: dict[tuple[Status, str], list[str]] = {}
    for finding in findings:
        reason = finding.summary if finding.status == "skip" else ""
        alike.setdefault((finding.status, reason), []).append(finding.id)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    # Sorting keeps the order of the checks among equals: all that passed, then the rest.
    for (status, reason), ids in sorted(alike.items(), key=lambda item: item[0][0]):
        mark, style = _MARKS[status]
        named = ", ".join(ids)
        line = f"{named}: {printable(reason)}" if reason else named
        table.add_row(Text(mark, style), Text(line))
    return table


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
    details = Table.grid(padding=(0, 1, 0, 0))
    details.add_column(no_wrap=True, min_width=2)
    details.add_column(overflow="fold")
    for line in finding.evidence:
        details.add_row("-", Text(printable(line)))
    if finding.remedy:
        details.add_row(Text("=>", "cyan"), Text(printable(finding.remedy), "cyan"))
    return Group(summary, details)


def _counts(findings: list[Finding], *, folded: bool) -> Text:
    counted = Counter(finding.status for finding in findings)
    counts = [f"{counted[status]} {word}" for status, word in _COUNTED.items() if counted[status]]
    hint = " (-v shows each)" if folded else ""
    return Text(f"{len(findings)} checks: {', '.join(counts)}{hint}")


def _verdict(report: Report) -> Text:
    word, meaning, style = _VERDICTS[report.verdict]
    ignored = [finding.id for finding in report.checks if finding.status == "ignored"]
    note = f" (ignored: {', '.join(ignored)})" if ignored else ""
    return Text.assemble((word, style), f" {report.stack}: {meaning}{note}")
