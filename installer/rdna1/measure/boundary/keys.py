"""The one limit on the side and the one on the workspace that are sound by themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.measure.boundary.allowed import Allowed


class Keys(NamedTuple):
    """What a layer must keep: the longer side of its map in pixels, and its workspace in bytes."""

    side: int
    workspace: int


class _Row(NamedTuple):
    """Layers that differ in size alone.

    Attributes:
        case: one of them.
        side: of the largest square that is allowed, 0 without one.
    """

    case: ConvCase
    side: int


def keys_of(cases: Iterable[ConvCase], found: Allowed) -> Keys | None:
    """Return the pair of limits inside which most of the tried layers are allowed.

    Beyond a row's largest square, layers are not allowed from a certain workspace on. So for each
    limit on the side there is a largest limit on the workspace; the pair is chosen that leaves the
    rows the largest maps.

    Args:
        cases: that were run, those that failed included.
        found: what they allow.

    Returns:
        None where nothing is allowed.
    """
    rows = list(_rows(cases, found))
    most = max((row.case.workspace_bytes for row in _at_their_sides(rows)), default=0)
    sides = sorted({row.side for row in rows} - {0})
    if "side" in found.caps:
        sides = [min(side, found.caps["side"]) for side in sides]
        most = min(most, found.caps["workspace"])
    pairs = [Keys(side, min(most, _workspace_below(side, rows))) for side in sides]
    pairs = [pair for pair in pairs if min(pair) > 0]
    return max(pairs, key=lambda pair: _worth(pair, rows), default=None)


def _rows(cases: Iterable[ConvCase], found: Allowed) -> Iterable[_Row]:
    done = set()
    for case in cases:
        one = msgspec.structs.astuple(msgspec.structs.replace(case, h=_ROOM, w=_ROOM))
        if one in done:
            continue
        done.add(one)
        small = _smallest(case)
        boxes = [box.numbers for box in found.boxes if small in box]
        yield _Row(case, max((min(box["h"][1], box["w"][1]) for box in boxes), default=0))


# Any kernel fits a map of this side.
_ROOM = 4096


def _smallest(case: ConvCase) -> ConvCase:
    """Return the layer on a map of one pixel, or the smallest that its kernel fits."""
    least = max(1, case.dilation * (case.kh - 1) + 1 - 2 * case.padding)
    return msgspec.structs.replace(case, h=least, w=least)


def _sized(case: ConvCase, height: int, width: int) -> ConvCase:
    least = _smallest(case).h
    return msgspec.structs.replace(case, h=max(least, height), w=max(least, width))


def _at_their_sides(rows: Iterable[_Row]) -> Iterable[_Row]:
    for row in rows:
        if row.side:
            yield _Row(_sized(row.case, row.side, row.side), row.side)


def _workspace_below(side: int, rows: Sequence[_Row]) -> int:
    """Return the largest workspace up to which all maps of a side are allowed.

    A map that is not allowed is at least one pixel longer than the row's largest square, and may
    be half as high.
    """
    beyond = [
        _sized(row.case, (row.side + 1) // 2, row.side + 1).workspace_bytes - 1
        for row in rows
        if row.side < side
    ]
    return min(beyond, default=2**62)


def _worth(pair: Keys, rows: Sequence[_Row]) -> float:
    """Pixels of a side that the rows get, on a logarithmic scale."""
    total = 0.0
    for row in rows:
        pixel = _sized(row.case, _SAMPLE, _SAMPLE).workspace_bytes / _SAMPLE**2
        side = min(pair.side, row.side, math.isqrt(int(pair.workspace / pixel)))
        total += math.log1p(side)
    return total


_SAMPLE = 64
