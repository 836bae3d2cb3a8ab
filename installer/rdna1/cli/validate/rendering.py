"""Results of measurements in the form that the user asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rdna1.cli.output import text_style
from rdna1.cli.validate.options import PAGE_FORMS
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.result_file import ConvReport
from rdna1.measure.smoke import SmokeReport
from rdna1.measure.timing import TimingReport


def rendered(reports: Sequence[ConvReport], form: str, output: Path | None) -> str | bytes:
    """Results in one form; what it needs is imported here, as others shall not pay for it.

    Args:
        reports: at least one.
        form: ``text``, ``json``, ``junit``, ``html`` or ``png``.
        output: the file that it is for, None for standard output.
    """
    if form in PAGE_FORMS:
        from rdna1.report.measurement import measurement_page

        return measurement_page(form, reports)
    if form == "json":
        from rdna1.report.json import to_json

        return to_json(
            reports[0]
            if len(reports) == 1
            else {"schema_version": 1, "kind": "reports", "reports": reports}
        )
    if form == "junit":
        from rdna1.report.junit import joined_junit

        return joined_junit(map(_junit, reports))
    style = text_style(output)
    return "\n".join(_text(report, style.width, colour=style.colour) for report in reports)


def _text(report: ConvReport, width: int, *, colour: bool) -> str:
    from rdna1.report.boundary import boundary_text
    from rdna1.report.smoke import smoke_text
    from rdna1.report.sweep import sweep_text
    from rdna1.report.timing import timing_text

    if isinstance(report, SmokeReport):
        return smoke_text(report, width=width, colour=colour)
    if isinstance(report, BoundaryReport):
        return boundary_text(report, width=width, colour=colour)
    if isinstance(report, TimingReport):
        return timing_text(report, width=width, colour=colour)
    return sweep_text(report, width=width, colour=colour)


def _junit(report: ConvReport) -> str:
    from rdna1.report.boundary import boundary_junit
    from rdna1.report.smoke import smoke_junit
    from rdna1.report.sweep import sweep_junit
    from rdna1.report.timing import timing_junit

    if isinstance(report, SmokeReport):
        return smoke_junit(report)
    if isinstance(report, BoundaryReport):
        return boundary_junit(report)
    return timing_junit(report) if isinstance(report, TimingReport) else sweep_junit(report)
