"""Divide the cases of a sweep among several runs."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from rdna1.conv.case import ConvCase

# What a case costs whatever its size (tensors, pipe, comparison), in multiply-accumulates.
_OVERHEAD = 10_000_000


class Shard(NamedTuple):
    """One of several parts, ``number`` (from 1) of so many."""

    number: int
    of: int

    def __str__(self) -> str:
        """As the command takes it."""
        return f"{self.number}/{self.of}"


WHOLE = Shard(1, 1)


def cases_of(shard: Shard, cases: Sequence[ConvCase]) -> list[ConvCase]:
    """Return the cases of one shard, in their order.

    The most expensive first, each goes to the shard that has least so far (Graham, "Bounds on
    multiprocessing timing anomalies", SIAM J. Appl. Math. 17(2), 1969). So shards differ by at
    most the cost of one case, and depend on nothing but the cases and the number of shards.
    """
    loads = [(0, number) for number in range(1, shard.of + 1)]
    mine = []
    for place in sorted(range(len(cases)), key=lambda place: -cost(cases[place])):
        load, number = loads[0]
        heapq.heapreplace(loads, (load + cost(cases[place]), number))
        if number == shard.number:
            mine.append(place)
    return [cases[place] for place in sorted(mine)]


def cost(case: ConvCase) -> int:
    """Say what a case takes, in multiply-accumulates; the reference on the CPU takes most of it."""
    return case.multiply_accumulates + _OVERHEAD
