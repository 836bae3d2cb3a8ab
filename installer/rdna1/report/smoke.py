"""A smoke test as text and as JUnit."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rdna1.conv.result import RIGHT, CaseResult, ConvOutcome, DeviceInfo
from rdna1.measure.smoke import SMOKE_DIRECTIONS, SmokeReport, is_required
from rdna1.report.console import as_text, printable
from rdna1.report.junit import JUnitCase, junit_xml
from rdna1.report.outcome import kernel_lines

_STYLES: dict[ConvOutcome, str] = {"pass": "green", "slow": "yellow"}


def smoke_text(report: SmokeReport, *, width: int, colour: bool) -> str:
    """Write a report as text: device, table, what went wrong or was slow, verdict.

    Args:
        report: of one machine.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
    """
    notes = [result for result in report.cases if result.outcome != "pass"]
    return as_text(
        Text(device_line(report.device), "bold"),
        results_table(report.cases),
        "",
        *(
            Padding(Text("\n".join(map(printable, _note(note).splitlines()))), (0, 0, 1, 0))
            for note in notes
        ),
        *kernel_lines(report.device, report.kernel_log_unavailable, report.resets),
        Text(smoke_verdict(report), f"bold {_verdict_colour(report)}"),
        width=width,
        colour=colour,
    )


def _verdict_colour(report: SmokeReport) -> str:
    if report.verdict == "fail":
        return "red"
    return "yellow" if report.advice else "green"


def smoke_junit(report: SmokeReport) -> str:
    """Write a report as one test case for each convolution, and one for those not run."""

    def case(name: str, seconds: float, failure: str | None, output: str = "") -> JUnitCase:
        return JUnitCase(
            name=name,
            classname="rdna1.measure.smoke",
            seconds=seconds,
            failure=failure,
            skipped=None,
            output=output,
        )

    cases = [
        case(r.case.label, r.seconds, None, "" if r.outcome == "pass" else _note(r))
        if r.outcome in RIGHT or (report.advice and not is_required(r.case))
        else case(r.case.label, r.seconds, _note(r))
        for r in report.cases
    ]
    if report.not_run and not report.advice:
        cases.append(case("completeness", 0.0, f"{report.not_run} cases were not run"))
    return junit_xml("rdna1-validate smoke", cases)


def smoke_verdict(report: SmokeReport) -> str:
    """Return the report in one line."""
    passed = sum(result.outcome in RIGHT for result in report.cases)
    slow = sum(result.outcome == "slow" for result in report.cases)
    place = f" on {report.device.type}" if report.device else ""
    parts = [
        f"{passed} of {len(report.cases) + report.not_run} convolutions passed{place}",
        f"{slow} of them slow" if slow else "",
        smoke_advice(report),
        f"{report.not_run} not run" if report.not_run else "",
        "interrupted" if report.interrupted else "",
        f"{report.wall_seconds:.1f} s",
    ]
    return f"{report.verdict.upper()}: {', '.join(filter(None, parts))}"


def smoke_advice(report: SmokeReport) -> str:
    """Return what to do though the verdict is pass, empty if nothing is."""
    if not report.advice:
        return ""
    bad = [r.case.dtype for r in report.cases if r.outcome not in RIGHT]
    return f"{report.advice}: {' and '.join(dict.fromkeys(bad))} failed"


def results_table(results: Iterable[CaseResult]) -> Table:
    """Return one line for each layer: outcome and milliseconds of its directions, largest error.

    Args:
        results: those of one layer one after the other.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("layer")
    for direction in SMOKE_DIRECTIONS:
        table.add_column(direction)
        table.add_column("ms", justify="right")
    table.add_column("rel. error", justify="right")
    for layer, group in groupby(results, lambda result: result.case.layer):
        found = {result.case.direction: result for result in group}
        cells = [cell for direction in SMOKE_DIRECTIONS for cell in _cells(found.get(direction))]
        errors = [r.max_rel_err for r in found.values() if r.max_rel_err is not None]
        table.add_row(layer, *cells, f"{max(errors):.1e}" if errors else "-")
    return table


def _cells(result: CaseResult | None) -> tuple[Text, Text]:
    """Return outcome and milliseconds; dashes for a direction that was not run."""
    if result is None:
        return Text("-"), Text("-")
    return Text(result.outcome, _STYLES.get(result.outcome, "bold red")), Text(
        f"{1000 * result.seconds:.1f}"
    )


def device_line(device: DeviceInfo | None) -> str:
    """Return where the cases ran, in one line."""
    if device is None:
        return "no device answered"
    reason = ", as torch sees no GPU" if (device.requested, device.type) == ("auto", "cpu") else ""
    target = f" ({device.gfx_target})" if device.gfx_target else ""
    return f"on {device.type}{reason}: {device.name}{target}, torch {device.torch}"


def _note(result: CaseResult) -> str:
    """Return what went wrong with a case or was slow: a heading, and the detail indented."""
    heading = f"{result.outcome}: {result.case.label}"
    return "\n".join([heading, *(f"  {line}" for line in result.detail.splitlines())])
