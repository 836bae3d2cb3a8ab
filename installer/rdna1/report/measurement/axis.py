"""Logarithmic axes of the drawings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

_MOST_TICKS = 10


class LogAxis(NamedTuple):
    """Maps values above 0 to a drawing, equal factors to equal lengths.

    Attributes:
        low: value at ``start``.
        high: value at ``end``, larger than ``low``.
        start: place on the drawing.
        end: likewise; smaller than ``start`` for an axis that points up.
    """

    low: float
    high: float
    start: float = 0.0
    end: float = 1.0

    def at(self, value: float) -> float:
        """Return the place of a value; of one outside the axis, that of its nearer end."""
        inside = min(max(value, self.low), self.high)
        share = math.log(inside / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, base: int = 2) -> list[float]:
        """Return powers of ``base`` inside the axis, some left out where they are many."""
        first = math.ceil(math.log(self.low, base) - 1e-9)
        last = math.floor(math.log(self.high, base) + 1e-9)
        step = max(1, (last - first) // _MOST_TICKS + 1)
        return [float(base) ** power for power in range(first, last + 1, step)]

    def placed(self, start: float, end: float) -> LogAxis:
        """Return the same values elsewhere."""
        return self._replace(start=start, end=end)


def spanning(values: Iterable[float], room: float) -> LogAxis:
    """Return an axis that holds values.

    Args:
        values: at least one, all above 0.
        room: factor between the outermost values and the ends, above 1.
    """
    listed = list(values)
    return LogAxis(min(listed) / room, max(listed) * room)
