"""Which convolutions a sweep runs: every legal combination of lists of values."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec

from rdna1.conv.case import ConvCase, Dims, Direction, DType, MemoryFormat
from rdna1.errors import InputError

V = TypeVar("V")

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
AtLeastZero = Annotated[int, msgspec.Meta(ge=0)]
Values = Annotated[list[V], msgspec.Meta(min_length=1)]

# Sizes of all axes, outermost first: 24x40; or a range with its last value, and a step: 8:64:8.
Sizes = Annotated[
    str, msgspec.Meta(pattern=r"^[1-9]\d*(x[1-9]\d*){1,2}$|^[1-9]\d*:[1-9]\d*(:[1-9]\d*)?$")
]
Channels = Annotated[str, msgspec.Meta(pattern=r"^[1-9]\d*->[1-9]\d*$")]

# At a millisecond each they take a quarter of an hour.
_MOST_COMBINATIONS = 1_000_000


class GridError(InputError):
    """A grid that cannot be swept."""


class Grid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values of each attribute; a sweep runs every legal combination of them.

    Attributes:
        channels: input and output channels, as in ``16->32``.
        side: of the input in pixels, the same on all axes; or all axes, as in ``24x40``; or a
            range with its last value and its step, as in ``8:64:8``.
        kernel: its side, likewise.
        dims: number of spatial dimensions.
        n: batch size.
        stride: step of the kernel.
        padding: zeros on every side; ``same`` keeps the side at stride 1 with an odd kernel.
        dilation: distance between kernel elements.
        groups: number of channel groups; ``depthwise`` is one for each input channel.
        dtype: element type.
        direction: what is computed.
        transposed: whether the convolution is a transposed one.
        output_padding: rows added on one side of a transposed convolution's output.
        memory_format: order of the elements.
        max_side: leave out combinations whose input or output has a longer side, in pixels.
    """

    channels: Values[Channels] = msgspec.field(default_factory=lambda: ["16->32"])
    side: Values[AtLeastOne | Sizes] = msgspec.field(default_factory=lambda: ["8:64:8"])
    kernel: Values[AtLeastOne | Sizes] = msgspec.field(default_factory=lambda: [3])
    dims: Values[Dims] = msgspec.field(default_factory=lambda: [2])
    n: Values[AtLeastOne] = msgspec.field(default_factory=lambda: [1])
    stride: Values[AtLeastOne] = msgspec.field(default_factory=lambda: [1])
    padding: Values[AtLeastZero | Literal["same"]] = msgspec.field(default_factory=lambda: ["same"])
    dilation: Values[AtLeastOne] = msgspec.field(default_factory=lambda: [1])
    groups: Values[AtLeastOne | Literal["depthwise"]] = msgspec.field(default_factory=lambda: [1])
    dtype: Values[DType] = msgspec.field(default_factory=lambda: ["float32"])
    direction: Values[Direction] = msgspec.field(default_factory=lambda: ["forward"])
    transposed: Values[bool] = msgspec.field(default_factory=lambda: [False])
    output_padding: Values[AtLeastZero] = msgspec.field(default_factory=lambda: [0])
    memory_format: Values[MemoryFormat] = msgspec.field(default_factory=lambda: ["contiguous"])
    max_side: AtLeastOne | None = None


class Combinations(NamedTuple):
    """What a grid holds.

    Attributes:
        cases: the legal ones, each once.
        illegal: number of those that no convolution can be.
        too_large: number of those beyond ``max_side``.
    """

    cases: list[ConvCase]
    illegal: int
    too_large: int


def expand(grid: Grid) -> Grid:
    """Return a grid with its ranges replaced by their values, each value once.

    Raises:
        GridError: a range holds nothing, or the grid has too many combinations.
    """
    lists = {name: getattr(grid, name) for name in _LISTS}
    for name in ("side", "kernel"):
        lists[name] = [each for value in lists[name] for each in _range(name, value)]
    lists = {name: list(dict.fromkeys(values)) for name, values in lists.items()}
    number = math.prod(map(len, lists.values()))
    if number > _MOST_COMBINATIONS:
        raise GridError(f"the grid has {number} combinations; the most is {_MOST_COMBINATIONS}")
    return msgspec.structs.replace(grid, **lists)


def combinations(grid: Grid) -> Combinations:
    """Return the convolutions of a grid, in the order of its lists, the last changing fastest.

    Args:
        grid: written out.
    """
    cases: dict[ConvCase, None] = {}
    illegal = 0
    beyond: set[ConvCase] = set()
    for values in itertools.product(*(getattr(grid, name) for name in _LISTS)):
        case = _case(dict(zip(_LISTS, values, strict=True)))
        if case is None:
            illegal += 1
        elif grid.max_side is not None and case.longest_side > grid.max_side:
            beyond.add(case)
        else:
            cases[case] = None
    return Combinations(list(cases), illegal, len(beyond))


_LISTS = tuple(name for name in Grid.__struct_fields__ if name != "max_side")


def _range(name: str, value: int | str) -> list[int | str]:
    if isinstance(value, int) or ":" not in value:
        return [value]
    first, last, *step = map(int, value.split(":"))
    sizes = range(first, last + 1, *step)
    if not sizes:
        raise GridError(f"{name}: {value} holds no size, as {first} is above {last}")
    if len(sizes) > _MOST_COMBINATIONS:
        raise GridError(
            f"{name}: {value} holds {len(sizes)} sizes; the most is {_MOST_COMBINATIONS}"
        )
    return list(sizes)


def _case(chosen: dict[str, int | str]) -> ConvCase | None:
    """Return one combination as a case, None if it is invalid."""
    dims = int(chosen["dims"])
    sides, kernel = _axes(chosen.pop("side"), dims), _axes(chosen.pop("kernel"), dims)
    if sides is None or kernel is None:
        return None
    c_in, c_out = map(int, str(chosen.pop("channels")).split("->"))
    if chosen["groups"] == "depthwise":
        chosen["groups"] = c_in
    if chosen["padding"] == "same":
        if len(set(kernel)) > 1:
            return None
        chosen["padding"] = int(chosen["dilation"]) * (kernel[0] - 1) // 2
    axes = zip(("w", "h", "depth", "kw", "kh", "kd"), _filled(sides) + _filled(kernel), strict=True)
    try:
        return msgspec.convert({"c_in": c_in, "c_out": c_out, **chosen, **dict(axes)}, ConvCase)
    except msgspec.ValidationError:
        return None


def _axes(value: int | str, dims: int) -> list[int] | None:
    """Return sizes of all axes, outermost first; None for another number of axes."""
    if isinstance(value, int):
        return [value] * dims
    sizes = [int(size) for size in value.split("x")]
    return sizes if len(sizes) == dims else None


def _filled(sizes: list[int]) -> list[int]:
    """Return three sizes, innermost first."""
    return [*reversed(sizes), 1, 1][:3]
