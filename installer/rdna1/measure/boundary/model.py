"""How likely a layer is to fail, given what the others did.

A failure is explained by a limit on a quantity, or on two together, for layers that have something
in common, or for all layers. An explanation holds while no case contradicts it. Which is right
nobody knows, so a layer's risk is the share of the explanations, by weight, under which it
fails. A wrong risk costs a hang, or leaves something untried that would have worked; what an
envelope allows never rests on it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rdna1.conv.case import ConvCase
from rdna1.conv.limits import QUANTITIES

# What layers may have in common.
_TRAITS: tuple[Callable[[ConvCase], bool], ...] = (
    *(lambda case, k=k: case.kw == k for k in (1, 3, 5, 7)),
    lambda case: case.kw > 1,
    lambda case: case.kw >= 5,
    lambda case: case.stride == 1,
    lambda case: case.stride > 1,
    lambda case: case.dilation == 1,
    lambda case: case.dilation > 1,
    lambda case: case.groups == 1,
    lambda case: case.groups > 1,
    lambda case: 1 < case.groups < case.c_in,
    lambda case: 1 < case.groups == case.c_in,
    *(lambda case, d=d: case.dtype == d for d in ("float32", "float16", "bfloat16")),
    lambda case: case.dtype != "float32",
    *(
        lambda case, d=d: case.direction == d
        for d in ("forward", "backward", "backward-data", "backward-weights")
    ),
    lambda case: case.direction != "forward",
    lambda case: case.direction in ("backward", "backward-weights"),
    lambda case: case.n == 1,
    lambda case: case.n > 1,
    *(lambda case, c=c: case.c_in >= c for c in (16, 32, 64, 128, 256)),
    *(lambda case, c=c: case.c_out >= c for c in (64, 128, 256)),
    lambda case: case.dims != 2,
    lambda case: case.transposed,
    lambda case: case.memory_format == "channels_last",
)
# Besides those that an envelope knows: of one image, of the whole batch, whatever the stride.
_MEASURES: dict[str, Callable[[ConvCase], int]] = {
    **QUANTITIES,
    "input elements of an image": lambda case: case.c_in * case.h * case.w,
    "output elements of an image": lambda case: math.prod(case.output_shape[1:]),
    "channels of the output, pixels of the input": lambda case: case.c_out * case.h * case.w,
    "workspace of a batch": lambda case: case.n * case.workspace_bytes,
    "work of a batch": lambda case: case.n * QUANTITIES["work"](case),
    "products of channels and pixels": lambda case: (
        case.c_in * case.c_out * case.kh * case.kw * case.h * case.w
    ),
}
_NAMES = tuple(_MEASURES)
_WEIGHTS = tuple(4.0 if name in ("side", "workspace") else 1.0 for name in _NAMES)
# Each thing that layers must have in common makes an explanation less likely.
_FOR_TRAIT = 1 / 6
_FOR_SECOND = 1 / 20
_MOST_TRAITS = 2
_MOST_EXPLANATIONS = 150
# Of a limit on two quantities nothing is expected so far below it.
_FAR = 0.4


class Seen(NamedTuple):
    """A case as explanations see it.

    Attributes:
        traits: a bit for each that it has.
        values: of the quantities, in their order.
    """

    traits: int
    values: tuple[int, ...]


@functools.lru_cache(maxsize=65536)
def seen(case: ConvCase) -> Seen:
    """Look at a case."""
    bits = sum(1 << number for number, has in enumerate(_TRAITS) if has(case))
    return Seen(bits, tuple(measure(case) for measure in _MEASURES.values()))


class Explanation:
    """A limit on one quantity or on two together, for layers with some traits."""

    def __init__(self, traits: int, quantities: tuple[int, ...], weight: float) -> None:
        """Start without a case."""
        self.traits = traits
        self.quantities = quantities
        self.weight = weight
        self.bad: tuple[float, ...] = ()
        self.good: float = 0.0
        self._good_pairs: list[tuple[int, int]] = []
        # Of each of two quantities, what passed although the other one was beyond its limit.
        self._good_alone = (0, 0)

    def learn(self, failed: Iterable[Seen], passed: Iterable[Seen]) -> bool:
        """Take the limits from cases; return whether they agree.

        Args:
            failed: all have the traits.
            passed: any.
        """
        values = [[case.values[number] for case in failed] for number in self.quantities]
        self.bad = tuple(map(min, values))
        return all(map(self.survives, passed))

    def survives(self, case: Seen) -> bool:
        """Tell whether a case that passed agrees; it is remembered."""
        if case.traits & self.traits != self.traits:
            return True
        if len(self.quantities) == 1:
            self.good = max(self.good, case.values[self.quantities[0]])
            return self.good < self.bad[0]
        first, second = (case.values[number] for number in self.quantities)
        self._good_pairs.append((first, second))
        known, other = self._good_alone
        if second >= self.bad[1]:
            known = max(known, first)
        if first >= self.bad[0]:
            other = max(other, second)
        self._good_alone = (known, other)
        return first < self.bad[0] or second < self.bad[1]

    def risk(self, case: Seen) -> float:
        """Return how likely a case fails if this explanation is the right one."""
        if case.traits & self.traits != self.traits:
            return 0.0
        if len(self.quantities) == 1:
            value = case.values[self.quantities[0]]
            return _between(value, self.good or 0.5, self.bad[0])
        first, second = (case.values[number] for number in self.quantities)
        if any(a >= first and b >= second for a, b in self._good_pairs):
            return 0.0
        return min(
            _between(value, max(good, _FAR * bad), bad)
            for value, good, bad in zip((first, second), self._good_alone, self.bad, strict=True)
        )


def _between(value: float, good: float, bad: float) -> float:
    """Return how likely a limit that is somewhere between two values is below one."""
    if value >= bad:
        return 1.0
    return math.log(value / good) / math.log(bad / good) if value > good else 0.0


class Model:
    """What the cases so far lead one to expect.

    Attributes:
        version: changes whenever a risk may have become another one.
    """

    def __init__(self) -> None:
        """Start without a case."""
        self.version = 0
        self._passed: list[Seen] = []
        self._failed: list[list[Seen]] = []
        self._groups: list[list[Explanation]] = []

    def add(self, case: ConvCase, *, passed: bool) -> None:
        """Learn from a case."""
        look = seen(case)
        if passed:
            self._passed.append(look)
            self._thin(look)
        else:
            self._explain(look)
            self.version += 1

    def risk(self, case: ConvCase) -> float:
        """Return how likely a case is to fail."""
        look = seen(case)
        safe = 1.0
        for number, group in enumerate(self._groups):
            total = sum(each.weight for each in group)
            if not total:
                # Nothing explains it, as larger ones pass: then it may be any that is as large.
                larger = any(look.values[0] >= bad.values[0] for bad in self._failed[number])
                safe *= 0.0 if larger else 1.0
                continue
            safe *= 1 - sum(each.weight * each.risk(look) for each in group) / total
        return 1 - safe

    def _thin(self, look: Seen) -> None:
        """Drop what a case that passed contradicts."""
        for number, group in enumerate(self._groups):
            if any(each.risk(look) for each in group):
                self.version += 1
                left = [each for each in group if each.survives(look)]
                self._groups[number] = left or self._explanations(self._failed[number])

    def _explain(self, look: Seen) -> None:
        """Explain one more failure: by what explains others, else by itself."""
        for number, group in enumerate(self._failed):
            found = self._explanations([*group, look])
            if found:
                group.append(look)
                self._groups[number] = found
                return
        self._failed.append([look])
        self._groups.append(self._explanations([look]))

    def _explanations(self, failed: list[Seen]) -> list[Explanation]:
        """Return all that explain some failures, the heaviest of them."""
        common = functools.reduce(lambda one, other: one & other, (each.traits for each in failed))
        bits = [1 << number for number in range(len(_TRAITS)) if common >> number & 1]
        found: list[Explanation] = []
        for number in range(_MOST_TRAITS + 1):
            for chosen in itertools.combinations(bits, number):
                traits = sum(chosen)
                # The last ones are the largest: what contradicts is found among them.
                inside = [each for each in reversed(self._passed) if each.traits & traits == traits]
                weight = _FOR_TRAIT**number
                found += _by_one(traits, weight, failed, inside)
                if number < _MOST_TRAITS and not found:
                    found += _by_two(traits, weight * _FOR_SECOND, failed, inside)
        return sorted(found, key=lambda each: -each.weight)[:_MOST_EXPLANATIONS]


def _by_one(
    traits: int, weight: float, failed: Sequence[Seen], passed: Sequence[Seen]
) -> list[Explanation]:
    singles = [
        Explanation(traits, (number,), weight * share) for number, share in enumerate(_WEIGHTS)
    ]
    return [each for each in singles if each.learn(failed, passed)]


def _by_two(
    traits: int, weight: float, failed: Sequence[Seen], passed: Sequence[Seen]
) -> list[Explanation]:
    pairs = [
        Explanation(traits, pair, weight) for pair in itertools.combinations(range(len(_NAMES)), 2)
    ]
    return [each for each in pairs if each.learn(failed, passed)]
