"""Limits on layers: which are allowed, as an envelope file says it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import msgspec

from rdna1.conv.case import ConvCase

# By the names that an envelope uses. ``work`` is that of one image, as the workspace is.
QUANTITIES: dict[str, Callable[[ConvCase], int]] = {
    "side": lambda case: max(case.h, case.w),
    "height": lambda case: case.h,
    "width": lambda case: case.w,
    "shorter side": lambda case: min(case.h, case.w),
    "area": lambda case: case.h * case.w,
    "workspace": lambda case: case.workspace_bytes,
    "input elements": lambda case: math.prod(case.input_shape),
    "output elements": lambda case: math.prod(case.output_shape),
    "work": lambda case: (
        case.multiply_accumulates // case.n // (2 if case.direction == "backward" else 1)
    ),
}

Quantity = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(QUANTITIES)})$")]


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Numbers from ``min`` to ``max``, both included; None is no bound."""

    min: int | None = None
    max: int | None = None

    def __contains__(self, value: object) -> bool:
        """Whether a number is inside."""
        return (
            isinstance(value, int)
            and (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
        )


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A limit that a layer must keep where it holds.

    Attributes:
        quantity: see `QUANTITIES`.
        max: the largest value that is allowed.
        when: by the names of a `ConvCase`: its values, or from which to which; it holds for
            layers that meet all. An empty one holds for all layers.
    """

    quantity: Quantity
    max: int
    when: dict[str, list[int | str] | Span] = {}

    def forbids(self, case: ConvCase) -> bool:
        """Whether a layer does not keep it."""
        # A loop, as there are hundreds of limits and most end at their first condition.
        for name, wanted in self.when.items():
            if getattr(case, name, None) not in wanted:
                return False
        return QUANTITIES[self.quantity](case) > self.max


class Box(msgspec.Struct, frozen=True):
    """Layers that are contained in one that passed: for each attribute the values.

    Attributes:
        numbers: from which to which, by names of a `ConvCase`.
        words: values by the names of `WORDS`.
    """

    numbers: dict[str, tuple[int, int]]
    words: dict[str, str]

    def __contains__(self, case: object) -> bool:
        """Whether a layer is inside."""
        # Loops, as a search asks this a million times.
        for name, (low, high) in self.numbers.items():
            if not low <= getattr(case, name) <= high:
                return False
        for name, word in self.words.items():  # noqa: SIM110 - as above
            if getattr(case, name) != word:
                return False
        return True


WORDS = ("direction", "dtype")
# In this order layers are told apart; what is left in the end is the width.
_ORDER = (
    *("kh", "kw", "kd", "dilation", "padding", "stride", "groups"),
    *WORDS,
    *("n", "c_in", "c_out", "depth", "h"),
)
_EVERY_WORD: dict[str, tuple[str, ...]] = {
    "direction": ("forward", "backward", "backward-data", "backward-weights"),
    "dtype": ("float32", "float16", "bfloat16"),
}
_ENDLESS = 2**62


def contained_in(case: ConvCase) -> Box:
    """The layers that a layer stands for: as its class, and no larger in any respect.

    The groups are those of the layer. For a depthwise one, whose groups are its channels, they are
    those of layers with more than half as many channels: those are depthwise, too, as groups
    divide channels.
    """
    depthwise = case.groups == case.c_in > 1
    least = case.groups // 2 + 1 if depthwise else 1
    exact = ("kh", "kw", "stride", "dilation", "kd")
    # What differs most often is first.
    numbers = {
        **{name: (1, getattr(case, name)) for name in ("w", "h", "c_out", "depth")},
        # Less padding leaves a smaller output; whoever pads a map first has none.
        "padding": (0, case.padding),
        # What a card does with one image it may do in another way with several.
        "n": (min(case.n, 2), case.n),
        "groups": (least if depthwise else case.groups, case.groups),
        "c_in": (least if depthwise else 2 * case.groups if case.groups > 1 else 1, case.c_in),
        **{name: (getattr(case, name), getattr(case, name)) for name in exact},
    }
    return Box(numbers, {"direction": case.direction, "dtype": case.dtype})


def limits_of(boxes: Sequence[Box], *, spatial: Sequence[str] = ()) -> list[Limit]:
    """Limits that allow the layers inside of boxes and no others.

    Args:
        boxes: at least one.
        spatial: attributes that are left out, as all layers have the same value.
    """
    names = [name for name in _ORDER if name not in spatial]
    return [
        Limit(quantity, most, dict(when))
        for when, quantity, most in _Tree(names).limits(tuple(boxes))
    ]


_When = tuple[tuple[str, "list[int | str] | Span"], ...]
# Words, or from which to which number.
_Value = tuple[Any, ...]
# A width, or branches with what follows on each.
_Grown = Any


class _Tree:
    """Tells layers apart attribute by attribute; values that lead to the same are put together."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._known: dict[tuple[int, tuple[int, ...]], _Grown] = {}

    def limits(self, boxes: tuple[Box, ...]) -> Iterable[tuple[_When, str, int]]:
        self._boxes = boxes
        return self._spelled(self._grown(0, tuple(range(len(boxes)))), 0, ())

    def _grown(self, depth: int, alive: tuple[int, ...]) -> _Grown:
        """Branches by values, or the largest width at the end of them; equal ones are equal."""
        if not alive:
            return 0
        if depth == len(self._names):
            return max(self._boxes[number].numbers["w"][1] for number in alive)
        key = (depth, alive)
        if key not in self._known:
            name = self._names[depth]
            split = self._words if name in WORDS else self._intervals
            self._known[key] = _joined(
                [(value, self._grown(depth + 1, inside)) for value, inside in split(name, alive)]
            )
        return self._known[key]

    def _words(self, name: str, alive: tuple[int, ...]) -> list[tuple[_Value, tuple[int, ...]]]:
        return [
            ((word,), tuple(n for n in alive if self._boxes[n].words[name] == word))
            for word in _EVERY_WORD[name]
        ]

    def _intervals(self, name: str, alive: tuple[int, ...]) -> list[tuple[_Value, tuple[int, ...]]]:
        spans = [self._boxes[number].numbers[name] for number in alive]
        least = 0 if name == "padding" else 1
        edges = {least, *(low for low, _ in spans), *(high + 1 for _, high in spans)}
        starts = sorted(edge for edge in edges if edge >= least)
        return [
            (
                (start, end - 1),
                tuple(
                    number
                    for number, (low, high) in zip(alive, spans, strict=True)
                    if low <= start <= high
                ),
            )
            for start, end in zip(starts, [*starts[1:], _ENDLESS], strict=True)
        ]

    def _spelled(self, tree: _Grown, depth: int, when: _When) -> Iterable[tuple[_When, str, int]]:
        if isinstance(tree, int):
            # Every layer has a side above 0.
            yield when, "width" if tree else "side", tree
            return
        for value, rest in tree:
            condition = _condition(self._names[depth], value)
            more = when if condition is None else (*when, (self._names[depth], condition))
            yield from self._spelled(rest, depth + 1, more)


def _joined(branches: list[tuple[_Value, _Grown]]) -> _Grown:
    """Put neighbours together that lead to the same; one branch for all values is none."""
    found: list[tuple[_Value, _Grown]] = []
    for value, rest in branches:
        words = isinstance(value[0], str)
        place = next(
            (
                number
                for number, (_, other) in enumerate(found)
                if other == rest and (words or number == len(found) - 1)
            ),
            None,
        )
        if place is None:
            found.append((value, rest))
        else:
            before = found[place][0]
            joined = (*before, *value) if words else (before[0], value[1])
            found[place] = (joined, rest)
    return tuple(found)


def _condition(name: str, value: _Value) -> list[int | str] | Span | None:
    """The condition of a branch, None for one that all values meet."""
    if name in WORDS:
        return None if len(value) == len(_EVERY_WORD[name]) else list(value)
    low, high = value
    least = 0 if name == "padding" else 1
    if low == least and high == _ENDLESS - 1:
        return None
    if low == high:
        return [low]
    return Span(None if low == least else low, None if high == _ENDLESS - 1 else high)
