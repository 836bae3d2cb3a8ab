"""Limits on layers: which are allowed, as an envelope file says it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

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
    """Numbers from ``min`` to ``max``, both included; None is not a bound."""

    min: int | None = None
    max: int | None = None

    def __contains__(self, value: object) -> bool:
        """Return whether a number is inside."""
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
        """Return whether a layer does not keep it."""
        # A loop, as there are hundreds of limits and most end at their first condition.
        for name, wanted in self.when.items():
            if getattr(case, name, None) not in wanted:
                return False
        return QUANTITIES[self.quantity](case) > self.max


class Box(msgspec.Struct, frozen=True):
    """Layers that are contained in one that passed: for each attribute the values.

    Attributes:
        numbers: from which to which, by names of a `ConvCase`.
        words: direction and dtype.
    """

    numbers: dict[str, tuple[int, int]]
    words: dict[str, str]

    def __contains__(self, case: object) -> bool:
        """Return whether a layer is inside."""
        # Loops, as a search asks this a million times.
        for name, (low, high) in self.numbers.items():
            if not low <= getattr(case, name) <= high:
                return False
        for name, word in self.words.items():  # noqa: SIM110 - as above
            if getattr(case, name) != word:
                return False
        return True

    def within(self, other: Box) -> bool:
        """Return whether all its layers are in another one."""
        return self.words == other.words and all(
            other.numbers[name][0] <= low and high <= other.numbers[name][1]
            for name, (low, high) in self.numbers.items()
        )


def contained_in(case: ConvCase) -> Box:
    """Return the layers that a layer stands for: as its class, and no larger in any respect.

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


# Of what a card may fail if there is little of it, whatever the size of the map.
LEAST = ("c_in", "c_out", "padding", "n")


def between(least: ConvCase, most: ConvCase) -> Box:
    """Return the layers between two of a class: as those contained in the larger one, and no less.

    Args:
        least: has no more of anything but the map.
        most: of the same kernel, stride, dilation, groups, dtype and direction.
    """
    box = contained_in(most)
    depthwise = most.groups == most.c_in > 1
    # The groups of a depthwise layer are its channels; of these the box has a range of its own.
    names = LEAST[2:] if depthwise else LEAST
    ends = {name: (getattr(least, name), getattr(most, name)) for name in names}
    size = {
        name: (1, min(getattr(least, name), getattr(most, name))) for name in ("h", "w", "depth")
    }
    return Box({**box.numbers, **ends, **size}, box.words)
