"""Times of convolutions as text and as JUnit."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from rdna1.measure.timing import TimingReport
from rdna1.report.console import as_text, printable
from rdna1.report.junit import junit_xml
from rdna1.report.outcome import counts, junit_cases, kernel_lines, notes, outcome_cell
from rdna1.report.smoke import device_line


def timing_text(report: TimingReport, *, width: int, colour: bool) -> str:
    """Write a report as text: device, table, what went wrong or was slow, verdict.

    Args:
        report: of one machine.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
    """
    return as_text(
        Text(device_line(report.device), "bold"),
        _table(report),
        "",
        *notes(report.cases),
        *kernel_lines(report.device, report.kernel_log_unavailable, report.resets),
        Text(
            printable(timing_verdict(report)),
            "bold green" if report.verdict == "pass" else "bold red",
        ),
        width=width,
        colour=colour,
    )


def timing_junit(report: TimingReport) -> str:
    """Write a report as one test case for each convolution, and one for those not run."""
    cases = junit_cases("rdna1.measure.timing", report.cases, report.not_run)
    return junit_xml("rdna1-validate timing", cases)


def timing_verdict(report: TimingReport) -> str:
    """Return the report in one line."""
    parts = [
        counts(report.cases),
        f"{report.not_run} not run ({report.stopped})" if report.stopped else "",
        f"{report.workers_lost} of {report.max_hangs} hangs",
        f"{report.wall_seconds:.1f} s",
    ]
    return f"{report.verdict.upper()}: {', '.join(filter(None, parts))}"


def _table(report: TimingReport) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("layer")
    table.add_column("outcome")
    for name in ("open s", "first ms", "compile ms", "warm ms", "GFLOP/s"):
        table.add_column(name, justify="right")
    for each in report.cases:
        right = each.gflops is not None
        table.add_row(
            each.case.label,
            outcome_cell(each.outcome),
            _number(each.open_seconds, 1),
            _number(each.first_seconds, 1000),
            _number(each.compile_seconds, 1000),
            _number(each.seconds if right else None, 1000),
            _number(each.gflops, 1),
        )
    return table


def _number(value: float | None, factor: int) -> str:
    return "-" if value is None else f"{value * factor:.2f}"
