"""Results of measurements in the form that the user asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdna1.cli.output import UsageError, text_style
from rdna1.cli.validate.options import PAGE_FORMS
from rdna1.measure.head import Head
from rdna1.measure.verbs import Reports, verb_of

if TYPE_CHECKING:
    from rdna1.report.measurement import PageForm


def rendered(reports: Sequence[Head], form: str, output: Path | None) -> str | bytes:
    """Return results in one form; what it needs is imported here, as others shall not pay for it.

    Args:
        reports: at least one.
        form: ``text``, ``json``, ``junit``, ``html`` or ``png``.
        output: the file that it is for, None for standard output.

    Raises:
        UsageError: a report has no page.
    """
    if form in PAGE_FORMS:
        return _page(reports, form)
    if form == "json":
        from rdna1.report.json import to_json

        several: Any = reports
        return to_json(reports[0] if len(reports) == 1 else Reports(reports=several))
    if form == "junit":
        from rdna1.report.junit import joined_junit

        return joined_junit(_made(report, "junit")(report) for report in reports)
    style = text_style(output)
    return "\n".join(
        _made(report, "text")(report, width=style.width, colour=style.colour) for report in reports
    )


def verdict_line(report: Head) -> str:
    """Return a result in one line."""
    return _made(report, "verdict")(report)


def _page(reports: Sequence[Head], form: PageForm) -> str | bytes:
    from rdna1.report.measurement import measurement_page

    compared = [verb.name for verb in map(verb_of, reports) if verb.compares]
    if compared:
        raise UsageError(
            f"--format {form}: a page is about one environment, {compared[0]} compares several. "
            "Remedy: use text, json or junit for its report"
        )
    return measurement_page(form, reports)


def _made(report: Head, form: str) -> Callable[..., str]:
    """Return what renders a report; `rdna1.measure.verbs` says where it is."""
    name = verb_of(report).name
    function: Callable[..., str] = getattr(import_module(f"rdna1.report.{name}"), f"{name}_{form}")
    return function
