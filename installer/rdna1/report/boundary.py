"""A boundary as text and as JUnit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from rich.table import Table
from rich.text import Text

from rdna1.conv.result import ConvOutcome
from rdna1.measure.boundary.report import BoundaryCase, BoundaryReport, Purpose, RouteReport
from rdna1.measure.boundary.tried import tried
from rdna1.report.console import as_text, printable
from rdna1.report.junit import JUnitCase, junit_xml
from rdna1.report.outcome import kernel_lines
from rdna1.report.smoke import device_line

_PURPOSES: Final = {
    "search": "search the limit",
    "below": "does all below pass?",
    "beyond": "does all beyond fail?",
    "decide": "tell rules apart",
    "refine": "narrow the workspace",
    "vary": "other layers inside",
    "classes": "other classes",
    "route": "other routes",
}
_MOST_CLASSES = 6
_HAPPENS: Final[dict[str, str]] = {
    "hang": "hangs",
    "crash": "crashes the process",
    "error": "ends in an error",
    "wrong": "gives wrong results",
    "slow": "is far too slow",
}


def boundary_text(report: BoundaryReport, *, width: int, colour: bool) -> str:
    """Write a report as text: device, path of the search, verdict, what to do.

    Args:
        report: of one machine.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
    """
    style = "bold green" if report.result.limit_found else "bold red"
    lines = [*_meaning(report), *_advice(report)]
    return as_text(
        Text(device_line(report.device), "bold"),
        _path(report.cases),
        "",
        *kernel_lines(report.device, report.kernel_log_unavailable, report.resets),
        Text(printable(boundary_verdict(report)), style),
        *(Text(printable(line)) for line in lines),
        width=width,
        colour=colour,
    )


def boundary_junit(report: BoundaryReport) -> str:
    """Write a report as one test case for the limit, which fails when it is not known.

    The convolutions follow, one test case each. That some do not pass is what was looked for, so
    they do not count as failures.
    """
    verdict = JUnitCase(
        name="limit",
        classname="rdna1.measure.boundary",
        seconds=report.wall_seconds - sum(each.seconds for each in report.cases),
        failure=None if report.result.limit_found else boundary_verdict(report),
        skipped=None,
        output="\n".join([boundary_verdict(report), *_meaning(report)]),
    )
    cases = [
        JUnitCase(
            name=f"{number} {each.case.label}",
            classname=f"rdna1.measure.boundary.{each.purpose}",
            seconds=each.seconds,
            failure=None,
            skipped=None,
            output=f"{each.outcome}: {each.detail}".removesuffix(": "),
        )
        for number, each in enumerate(report.cases, 1)
    ]
    return junit_xml("rdna1-validate boundary", [verdict, *cases])


def boundary_verdict(report: BoundaryReport) -> str:
    """Return the report in one line."""
    result = report.result
    cost = f"{report.workers_lost} of {report.max_hangs} hangs, {report.wall_seconds:.1f} s"
    if result.rule == "none":
        return f"NO LIMIT up to {result.largest_side_tried} pixels ({cost})"
    if result.limit_found and result.first_bad_side is None:
        return f"LIMIT in other layers: {result.explanation} ({cost})"
    bad = f"{result.first_bad_side} {_happens(result.first_bad_outcome)}"
    if result.limit_found:
        return f"LIMIT: {result.safe_side} pixels pass, {bad}; rule {result.rule} ({cost})"
    if result.safe_side and result.first_bad_side:
        return f"NOT EXACT: {result.safe_side} pixels pass, {bad} ({cost})"
    return f"NOT KNOWN: {result.explanation} ({cost})"


def _happens(outcome: ConvOutcome | None) -> str:
    return _HAPPENS.get(outcome, "") if outcome else ""


def _meaning(report: BoundaryReport) -> list[str]:
    """Return what the result rests on, and what is missing."""
    result = report.result
    lines = [f"Why: {result.explanation}."]
    if result.deciding_case:
        lines.append(f"Undecided: {result.deciding_case.label} would tell.")
    lines += _coverage(report)
    if report.stopped:
        lines.append(f"Stopped early: {report.stopped}. This is what was known by then.")
    lines += map(_route, report.routes)
    return lines


_ROUTES: Final[dict[str, str]] = {"bypass": "without MIOpen", "matmul": "as matrix products"}


def _route(found: RouteReport) -> str:
    """Return what is safe by another way to compute layers."""
    name = f"Route {found.route} ({_ROUTES[found.route]})"
    early = f"; stopped early: {found.stopped}" if found.stopped else ""
    if found.max_side is None or found.max_workspace_bytes is None:
        return f"{name}: nothing is known to be safe{early}."
    return (
        f"{name}: safe are sides up to {found.max_side} with workspaces up to "
        f"{found.max_workspace_bytes:,} bytes ({len(found.cases)} layers tried){early}."
    )


def _coverage(report: BoundaryReport) -> Iterable[str]:
    """Return which classes were tried, and which of them have a limit."""
    classes = tried(report.cases)
    if not any(each.purpose == "classes" for each in report.cases):
        return
    yield f"Tried: {len(classes)} classes of layers; what is not among them was not tried."
    limited = [each for each in classes if each.failed]
    for each in limited[:_MOST_CLASSES]:
        yield f"Fails in {each.name}, smallest {each.first_failed}."
    if len(limited) > _MOST_CLASSES:
        yield f"Fails in {len(limited) - _MOST_CLASSES} more classes."


def _advice(report: BoundaryReport) -> Iterable[str]:
    """Return what is safe, and what to do about the rest."""
    result = report.result
    side = result.safe_side
    if result.limit_found and result.first_bad_side is None and result.rule != "none":
        yield (
            f"Safe: 3x3 layers from 16 to 32 channels up to {result.largest_side_tried} pixels, "
            "and what passed in each class."
        )
        yield (
            "Do: --envelope FILE writes for programs which layers are safe; run the others on "
            "the CPU, or measure another stack."
        )
        return
    if result.rule == "none":
        yield "Safe: everything that was tried. There is nothing to restrict."
        return
    if side is None:
        yield (
            "Do: check the installation with rdna1-preflight and rdna1-validate smoke; compute on "
            "the CPU until then."
        )
        return
    if result.rule == "side":
        yield f"Safe: maps up to {side} pixels high and wide, whatever their channels."
    elif result.rule == "workspace":
        yield (
            "Safe: layers with C_in * kh * kw * H_out * W_out * bytes per element up to "
            f"{result.safe_workspace_bytes}; the more channels, the smaller the map."
        )
    else:
        yield f"Safe as far as is known: maps up to {side} pixels, with up to 16 input channels."
    yield (
        "Do: keep maps inside (adaptive pooling, smaller tiles), or run the layers beyond on the "
        "CPU, or measure another stack. --envelope FILE writes the limit for programs."
    )


def _path(cases: Sequence[BoundaryCase]) -> Table:
    """Return one line for each case; for each run of like outcomes where only the size changes."""
    table = Table(box=None, pad_edge=False)
    for name in ("step", "layers", "outcome"):
        table.add_column(name)
    table.add_column("ms, longest", justify="right")
    for (purpose, outcome, _), group in groupby(enumerate(cases), _kind):
        members = [each for _, each in group]
        style = "green" if outcome == "pass" else "bold red"
        slowest = f"{1000 * max(each.seconds for each in members):.1f}"
        table.add_row(_PURPOSES[purpose], _layers(members), Text(outcome, style), slowest)
    return table


def _kind(numbered: tuple[int, BoundaryCase]) -> tuple[Purpose, ConvOutcome, int]:
    """Return what the cases of a line have in common.

    The layers of some steps differ in all respects.
    """
    number, each = numbered
    differs = each.purpose in ("decide", "vary")
    return each.purpose, each.outcome, number if differs else 0


def _layers(members: Sequence[BoundaryCase]) -> str:
    first, last = members[0].case, members[-1].case
    if len(members) == 1:
        return first.layer
    # Every layer's name ends with its size here.
    layer, _, size = last.layer.rpartition(" ")
    end = size if first.layer.startswith(f"{layer} ") else last.layer
    return f"{first.layer} .. {end}, {len(members)} cases"
