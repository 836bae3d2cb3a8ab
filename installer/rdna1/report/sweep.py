"""A sweep as text and as JUnit."""

from __future__ import annotations

from itertools import groupby

from rich.table import Table
from rich.text import Text

from rdna1.measure.sweep.report import SweepCase, SweepReport
from rdna1.report.console import as_text, printable
from rdna1.report.junit import JUnitCase, junit_xml
from rdna1.report.outcome import counts, junit_cases, kernel_lines, notes, outcome_cell
from rdna1.report.smoke import device_line


def sweep_text(report: SweepReport, *, width: int, colour: bool) -> str:
    """Write a report as text: devices, runs of like outcomes, what went wrong, verdict.

    Args:
        report: of one shard or of several.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
    """
    passed = report.verdict == "pass" and not report.missing_shards
    return as_text(
        *(
            Text(f"shard {part.shard} of {report.shard_count}, {device_line(part.device)}", "bold")
            for part in report.parts
        ),
        _table(report.cases),
        "",
        *notes(report.cases),
        *(
            line
            for part in report.parts
            for line in kernel_lines(part.device, part.kernel_log_unavailable, part.resets)
        ),
        Text(printable(sweep_verdict(report)), "bold green" if passed else "bold red"),
        width=width,
        colour=colour,
    )


def sweep_junit(report: SweepReport) -> str:
    """Write a report as one test case for each convolution, and one for what is missing."""
    not_run = sum(part.not_run for part in report.parts)
    cases = junit_cases("rdna1.measure.sweep", report.cases, not_run)
    if report.missing_shards:
        text = _missing(report)
        cases.append(JUnitCase("shards", "rdna1.measure.sweep", 0.0, text, None, ""))
    return junit_xml("rdna1-validate sweep", cases)


def sweep_verdict(report: SweepReport) -> str:
    """Return the report in one line."""
    stopped = "; ".join(filter(None, (part.stopped for part in report.parts)))
    not_run = sum(part.not_run for part in report.parts)
    word = "incomplete" if report.missing_shards else report.verdict
    parts = [
        f"{counts(report.cases)} of {report.legal} legal combinations",
        f"{report.illegal} invalid left out" if report.illegal else "",
        f"{report.too_large} too large left out" if report.too_large else "",
        f"{not_run} not run ({stopped})" if not_run or stopped else "",
        _missing(report),
        f"{sum(part.workers_lost for part in report.parts)} hangs",
        f"{sum(part.wall_seconds for part in report.parts):.1f} s",
    ]
    return f"{word.upper()}: {', '.join(filter(None, parts))}"


def _missing(report: SweepReport) -> str:
    if not report.missing_shards:
        return ""
    listed = ", ".join(map(str, report.missing_shards))
    return f"shard {listed} of {report.shard_count} missing"


def _table(cases: list[SweepCase]) -> Table:
    """Return one line for each run of like outcomes."""
    table = Table(box=None, pad_edge=False)
    table.add_column("cases", justify="right")
    table.add_column("outcome")
    table.add_column("from")
    table.add_column("to")
    for outcome, group in groupby(cases, lambda result: result.outcome):
        members = list(group)
        last = members[-1].case.label if len(members) > 1 else ""
        table.add_row(str(len(members)), outcome_cell(outcome), members[0].case.label, last)
    return table
