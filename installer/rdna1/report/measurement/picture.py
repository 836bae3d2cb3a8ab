"""The picture of measurements. Needs matplotlib, of the extra ``rdna1[report]``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import fill
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from rdna1.conv.result import ConvOutcome
from rdna1.report.console import printable
from rdna1.report.measurement.axis import LogAxis
from rdna1.report.measurement.figures import SearchPath, SizeMap, Times, maps, outcomes, path, times
from rdna1.report.measurement.subject import Subject
from rdna1.report.measurement.verdict import verdict

# Shapes differ, so that nobody depends on the colours.
_MARKERS: Final[dict[ConvOutcome, tuple[str, str]]] = {
    "pass": ("o", "#0065a3"),
    "slow": ("^", "#946000"),
    "error": ("D", "#a5387f"),
    "wrong": ("P", "#6f3cc4"),
    "crash": ("s", "#1b1f24"),
    "hang": ("X", "#b83a00"),
}
_CURVES: Final = ("#0065a3", "#b83a00", "#6f3cc4", "#946000")
_INCHES: Final = (10.0, 4.6)
_DOTS_PER_INCH: Final = 100
_HEADING_COLUMNS: Final = 90
# matplotlib reads a formula between two of them.
_LITERAL: Final = str.maketrans({"$": r"\$"})


def picture(subjects: Sequence[Subject]) -> bytes:
    """Draw one row for each device: map, path of the search or else times. PNG, on white.

    Args:
        subjects: one for each device.
    """
    width, height = _INCHES
    figure = Figure(figsize=(width, height * len(subjects)), layout="constrained")
    rows = figure.subfigures(len(subjects), squeeze=False)
    for (row,), subject in zip(rows, subjects, strict=True):
        found = verdict(subject)
        name = subject.device.name if subject.device else "no device answered"
        title = f"{'SIMULATED: ' if subject.simulated else ''}{found.headline}\n{name}"
        lines = (fill(_literal(line), _HEADING_COLUMNS) for line in title.splitlines())
        row.suptitle("\n".join(lines), fontsize=12)
        left, right = row.subplots(1, 2)
        drawn, searched = maps(subject), path(subject.search)
        curves = times(subject)
        _draw_map(left, drawn[0] if drawn else None)
        if searched:
            _draw_path(right, searched)
        else:
            _draw_times(right, curves[0] if curves else None)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH)
    return file.getvalue()


def _draw_map(axes: Axes, drawn: SizeMap | None) -> None:
    if drawn is None:
        _nothing(axes, "too few convolutions for a map")
        return
    for outcome in outcomes(drawn.marks):
        points = [mark for mark in drawn.marks if mark.outcome == outcome]
        _scatter(axes, [mark.x for mark in points], [mark.y for mark in points], outcome)
    if drawn.limit:
        sides, channels = zip(*drawn.limit, strict=True)
        axes.plot(sides, channels, "--", color="#1b1f24", label="limit")
    _scale(axes, drawn.x, drawn.y)
    axes.set(xlabel=drawn.size, ylabel="input channels", title=f"What works: {drawn.family}")
    axes.legend(fontsize=8)


def _draw_path(axes: Axes, drawn: SearchPath) -> None:
    for row, step in enumerate(drawn.steps, 1):
        if step.safe and step.bad:
            axes.barh(row, step.bad - step.safe, left=step.safe, height=1, color="#d9ebf7")
    for outcome in outcomes(drawn.steps):
        points = [(s.side, row) for row, s in enumerate(drawn.steps, 1) if s.outcome == outcome]
        _scatter(axes, [x for x, _ in points], [y for _, y in points], outcome)
    _scale(axes, drawn.x, None)
    sides = [str(step.side) for step in drawn.steps]
    axes.set_yticks(range(1, len(sides) + 1), sides, fontsize=7)
    axes.invert_yaxis()
    axes.set(
        xlabel="side of the map, in pixels",
        ylabel="side, tried from top to bottom",
        title="How the limit was found",
    )
    axes.legend(fontsize=8)


def _draw_times(axes: Axes, drawn: Times | None) -> None:
    if drawn is None:
        _nothing(axes, "too few sizes for curves")
        return
    for colour, series in zip(_CURVES, drawn.series, strict=False):
        for points, style, name in ((series.warm, "-", series.name), (series.cold, "--", None)):
            axes.plot(
                [s for s, _ in points], [t for _, t in points], style, color=colour, label=name
            )
    for outcome in outcomes(drawn.failures):
        lost = [mark for mark in drawn.failures if mark.outcome == outcome]
        _scatter(axes, [mark.x for mark in lost], [mark.y for mark in lost], outcome)
    _scale(axes, drawn.x, None)
    axes.set(
        xlabel="side of the map, in pixels",
        ylabel="milliseconds",
        yscale="log",
        title=f"Warm (solid), cold (dashed): {drawn.family}",
    )
    axes.legend(fontsize=8)


def _scatter(axes: Axes, x: Sequence[float], y: Sequence[float], outcome: ConvOutcome) -> None:
    marker, colour = _MARKERS[outcome]
    axes.scatter(x, y, marker=marker, color=colour, s=30, label=outcome, zorder=3)


def _scale(axes: Axes, x: LogAxis, y: LogAxis | None) -> None:
    for name, values in (("x", x), ("y", y)):
        if values:
            ticks = values.ticks()
            axes.set(**{f"{name}scale": "log", f"{name}lim": (values.low, values.high)})
            axis = axes.xaxis if name == "x" else axes.yaxis
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_minor_locator(NullLocator())
    axes.grid(color="#d3d7de", linewidth=0.5)


def _nothing(axes: Axes, reason: str) -> None:
    axes.text(0.5, 0.5, reason, ha="center", transform=axes.transAxes)
    axes.set_axis_off()


def _literal(text: str) -> str:
    return printable(text).translate(_LITERAL)
