"""What the drawings show, apart from how they are drawn."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from rdna1.conv.case import BYTES_PER_ELEMENT, ConvCase
from rdna1.conv.result import ConvOutcome
from rdna1.measure.boundary.report import BoundaryResult
from rdna1.report.measurement.axis import LogAxis, spanning
from rdna1.report.measurement.subject import MeasuredCase, Measurement, Subject, is_right, square

# Worst last: it is drawn over the others.
OUTCOMES: Final[tuple[ConvOutcome, ...]] = ("pass", "slow", "error", "wrong", "crash", "hang")

_MOST_FIGURES = 4
_MOST_SERIES = 4
_FEWEST_POINTS = 3
_FEWEST_PLACES = 4
_SEARCHED = ("search", "below", "beyond")
_SEARCH_ROWS = 60


class Family(NamedTuple):
    """What layers on one map have in common: everything but channels, size and direction."""

    kernel: tuple[int, ...]
    transposed: bool
    stride: int
    padding: int
    output_padding: int
    dilation: int
    groups: str
    n: int
    dtype: str
    memory_format: str

    def __str__(self) -> str:
        """For users."""
        kernel = "x".join(map(str, self.kernel))
        usual = 0 if self.transposed else self.dilation * (self.kernel[0] - 1) // 2
        parts = [
            "transposed" if self.transposed else "",
            kernel,
            f"stride {self.stride}" if self.stride != 1 else "",
            f"padding {self.padding}" if self.padding != usual else "",
            f"output padding {self.output_padding}" if self.output_padding else "",
            f"dilation {self.dilation}" if self.dilation != 1 else "",
            self.groups,
            f"batch {self.n}" if self.n != 1 else "",
            self.dtype,
            self.memory_format if self.memory_format != "contiguous" else "",
        ]
        return ", ".join(filter(None, parts))


class Mark(msgspec.Struct, frozen=True):
    """One case on a drawing: its place, its outcome and its name."""

    x: float
    y: float
    outcome: ConvOutcome
    label: str


class SizeMap(msgspec.Struct, frozen=True, kw_only=True):
    """Which sizes and channels work.

    Attributes:
        family: the layers that are shown.
        size: what x is, in pixels.
        x: axis of the size.
        y: axis of the input channels.
        marks: those to be drawn last come last.
        limit: a line, as (size, channels); everything left of it should work. Empty without a
            rule.
    """

    family: str
    size: str
    x: LogAxis
    y: LogAxis
    marks: list[Mark]
    limit: list[tuple[float, float]]


class Series(msgspec.Struct, frozen=True):
    """Milliseconds by side in pixels, in the order of the sides."""

    name: str
    warm: list[tuple[int, float]]
    cold: list[tuple[int, float]]


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long layers take, and where they did not end well.

    Attributes:
        family: the layers that are shown.
        x: axis of the side.
        y: axis of the milliseconds.
        series: by channels and direction.
        failures: at the upper edge.
    """

    family: str
    x: LogAxis
    y: LogAxis
    series: list[Series]
    failures: list[Mark]


class Step(msgspec.Struct, frozen=True):
    """One case of a search.

    Attributes:
        number: of the case, from 1.
        side: in pixels.
        outcome: what happened.
        safe: largest side below ``bad`` that is known to work then; None before there is one.
        bad: smallest side that is known to fail then, likewise.
    """

    number: int
    side: int
    outcome: ConvOutcome
    safe: int | None
    bad: int | None


class Rows(NamedTuple):
    """An axis that only places what is written next to it."""

    start: float
    end: float

    def ticks(self, _base: int) -> list[float]:
        """None: rows carry their own numbers."""
        return []


class SearchPath(msgspec.Struct, frozen=True):
    """How a search closed in on the limit; ``x`` is the axis of the side."""

    x: LogAxis
    steps: list[Step]
    left_out: int

    def rows(self, start: float, end: float) -> Rows:
        """Return the axis of the cases, which has no ticks."""
        return Rows(start, end)


def maps(subject: Subject) -> list[SizeMap]:
    """Return a map for each family with several sizes or channels, those of most cases first."""
    result = subject.search.result if subject.search else None
    drawn = [_map(family, cases, result) for family, cases in _families(subject.cases)]
    places = [len({(mark.x, mark.y) for mark in each.marks}) for each in drawn]
    shown = [each for each, number in zip(drawn, places, strict=True) if number >= _FEWEST_PLACES]
    return shown[:_MOST_FIGURES]


def times(subject: Subject) -> list[Times]:
    """Return one drawing for each family with a curve, those of most cases first."""
    drawn = (_times(family, cases) for family, cases in _families(subject.cases))
    return [each for each in drawn if each][:_MOST_FIGURES]


def path(search: Measurement | None) -> SearchPath | None:
    """Return how the limit of the reference layer was found, None without a search."""
    if search is None:
        return None
    safe: int | None = None
    bad: int | None = None
    steps = []
    for number, each in enumerate(search.cases, 1):
        if each.purpose not in _SEARCHED or not square(each.case):
            continue
        side = each.case.h
        if each.outcome == "pass":
            safe = max(safe or 0, side) if bad is None or side < bad else safe
        else:
            bad = min(bad or side, side)
            safe = None if safe and safe >= bad else safe
        steps.append(Step(number, side, each.outcome, safe, bad))
    if not steps:
        return None
    x = spanning((step.side for step in steps), 1.15)
    return SearchPath(x, steps[:_SEARCH_ROWS], max(0, len(steps) - _SEARCH_ROWS))


def outcomes(marks: Iterable[Mark | Step]) -> list[ConvOutcome]:
    """Return the outcomes that a drawing shows, for its legend."""
    shown = {mark.outcome for mark in marks}
    return [outcome for outcome in OUTCOMES if outcome in shown]


def _families(cases: Iterable[MeasuredCase]) -> list[tuple[Family, list[MeasuredCase]]]:
    found: dict[Family, list[MeasuredCase]] = defaultdict(list)
    for each in cases:
        if each.case.dims == 2:
            found[_family(each.case)].append(each)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def _family(case: ConvCase) -> Family:
    depthwise = case.groups > 1 and case.groups == case.c_in
    groups = "depthwise" if depthwise else f"{case.groups} groups" if case.groups > 1 else ""
    return Family(
        kernel=case.kernel_size,
        transposed=case.transposed,
        stride=case.stride,
        padding=case.padding,
        output_padding=case.output_padding,
        dilation=case.dilation,
        groups=groups,
        n=case.n,
        dtype=case.dtype,
        memory_format=case.memory_format,
    )


def _map(family: Family, cases: Sequence[MeasuredCase], result: BoundaryResult | None) -> SizeMap:
    by_area = result is not None and result.rule == "workspace"
    marks = [
        Mark(
            math.sqrt(each.case.h * each.case.w) if by_area else max(each.case.h, each.case.w),
            each.case.c_in,
            each.outcome,
            f"{each.case.label}: {each.outcome}",
        )
        for each in sorted(cases, key=lambda each: OUTCOMES.index(each.outcome))
    ]
    # Half an octave of room keeps symbols off the frame.
    x, y = spanning((m.x for m in marks), 1.2), spanning((m.y for m in marks), 1.5)
    size = "side of the map, in pixels"
    if by_area and not all(square(each.case) for each in cases):
        size = "square root of height x width, in pixels"
    elif not all(square(each.case) for each in cases):
        size = "longer side of the map, in pixels"
    return SizeMap(
        family=str(family),
        size=size,
        x=x,
        y=y,
        marks=marks,
        limit=_limit(cases[0].case, x, y, result),
    )


def _limit(
    case: ConvCase, x: LogAxis, y: LogAxis, result: BoundaryResult | None
) -> list[tuple[float, float]]:
    """Return the line of the rule. A workspace is that of the output: of the same size only."""
    if result is None or not result.limit_found:
        return []
    if result.rule == "side" and result.safe_side and result.first_bad_side:
        side = math.sqrt(result.safe_side * result.first_bad_side)
        return [(side, y.low), (side, y.high)] if x.low < side < x.high else []
    limit = result.safe_workspace_bytes
    if result.rule != "workspace" or not limit or case.input_size != case.output_size:
        return []
    plane = math.prod(case.kernel_size) * BYTES_PER_ELEMENT[case.dtype]
    # A square map of s pixels and c channels has the workspace c * plane * s * s: a straight
    # line between logarithmic axes. Its ends are where it leaves the drawing.
    wanted = [y.low, y.high, *(limit / (plane * s * s) for s in (x.low, x.high))]
    channels = sorted(c for c in wanted if y.low <= c <= y.high)
    line = [(math.sqrt(limit / (plane * c)), c) for c in channels]
    inside = [(s, c) for s, c in line if x.low / 1.001 <= s <= x.high * 1.001]
    return inside if len(inside) > 1 else []


def _times(family: Family, cases: Sequence[MeasuredCase]) -> Times | None:
    groups: dict[str, list[MeasuredCase]] = defaultdict(list)
    squares = [each for each in cases if square(each.case)]
    for each in squares:
        case = each.case
        groups[f"{case.c_in} to {case.c_out} channels, {case.direction}"].append(each)
    curves = [_series(name, group) for name, group in groups.items()]
    chosen = sorted(curves, key=lambda curve: -len(curve.warm))[:_MOST_SERIES]
    chosen = [curve for curve in chosen if len(curve.warm) >= _FEWEST_POINTS]
    if not chosen:
        return None
    names = {curve.name for curve in chosen}
    shown = [each for name in names for each in groups[name]]
    points = [ms for curve in chosen for _, ms in [*curve.warm, *curve.cold]]
    y = spanning(points, 2.0)
    failures = [
        Mark(each.case.h, y.high, each.outcome, f"{each.case.label}: {each.outcome}")
        for each in sorted(shown, key=lambda each: OUTCOMES.index(each.outcome))
        if not is_right(each)
    ]
    x = spanning((each.case.h for each in shown), 1.15)
    order = [curve for curve in curves if curve.name in names]
    return Times(family=str(family), x=x, y=y, series=order, failures=failures)


def _series(name: str, cases: Sequence[MeasuredCase]) -> Series:
    """Return the median of the cases of one side, as a case may be in several reports."""
    warm: dict[int, list[float]] = defaultdict(list)
    cold: dict[int, list[float]] = defaultdict(list)
    for each in filter(is_right, cases):
        for found, seconds in ((warm, each.seconds), (cold, each.first_seconds)):
            if seconds:
                found[each.case.h].append(1000 * seconds)
    return Series(name, _medians(warm), _medians(cold))


def _medians(found: dict[int, list[float]]) -> list[tuple[int, float]]:
    return [(side, sorted(ms)[len(ms) // 2]) for side, ms in sorted(found.items())]
