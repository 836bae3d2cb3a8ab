"""The classes of layers that networks are made of, and the layers that are tried in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from rdna1.conv.boundary.tried import layers_of, use_of
from rdna1.conv.case import ConvCase, Dims, Direction, DType, MemoryFormat

Form = Literal["quick", "full"]

# Sides of maps in common networks, at inputs of 128, 160, 224, 256, 320, 384, 448, 512.
_SIDES = (
    *(1, 2, 4, 7, 8, 10, 12, 14, 16, 20, 21, 24, 28, 32, 36, 40, 42, 48, 56, 64, 80, 96, 112),
    *(128, 160, 192, 224, 256, 320, 384, 448, 512),
)

_DENSE = ((4, 32), (4, 64), (16, 32), (32, 64), (64, 64), (64, 128), (128, 128), (256, 256))
_POINTWISE = ((4, 32), (16, 64), (64, 64), (64, 256), (256, 256), (256, 512))
_STEM = ((4, 32), (4, 64))
_BATCHES = (1, 4)

# Multiply-accumulates of the largest case: some tenths of a second on two processor cores.
_MOST_MULTIPLICATIONS = 2_000_000_000
# Maps higher than wide are rare where there are more channels.
_MOST_CHANNELS_OF_HIGH_MAPS = 16


class Template(NamedTuple):
    """Layers that differ in channels and size only.

    Attributes:
        kernel: its side.
        channels: input and output channels that are tried, smallest first.
        stride: step of the kernel.
        dilation: distance between kernel elements.
        groups: number of channel groups; None is depthwise.
        dims: number of spatial dimensions.
        transposed: whether it is a transposed convolution.
        memory_format: order of the elements.
    """

    kernel: int
    channels: Sequence[tuple[int, int]]
    stride: int = 1
    dilation: int = 1
    groups: int | None = 1
    dims: Dims = 2
    transposed: bool = False
    memory_format: MemoryFormat = "contiguous"


def _depthwise(channels: int, stride: int = 1) -> Template:
    return Template(3, [(channels, channels)], stride=stride, groups=None)


_THREE = Template(3, _DENSE)

# The most common first: an interruption leaves what is most useful.
_TEMPLATES = (
    _THREE,
    Template(1, _POINTWISE),
    Template(3, _DENSE, stride=2),
    Template(1, _POINTWISE, stride=2),
    Template(7, _STEM, stride=2),
    _depthwise(128),
    Template(5, ((4, 32), (32, 64), (64, 64))),
    Template(3, ((32, 32), (64, 64)), groups=4),
    Template(3, ((64, 64), (128, 128)), dilation=2),
)
# Few cases each: they are tried at the end.
_RARE = (
    _depthwise(32),
    _depthwise(64),
    _depthwise(128, stride=2),
    Template(3, ((128, 128), (256, 256)), groups=32),
    Template(2, ((64, 64), (128, 128)), stride=2),
    Template(3, ((16, 32), (64, 64)), memory_format="channels_last"),
    Template(1, ((64, 64), (256, 256)), memory_format="channels_last"),
    Template(2, ((64, 64), (128, 64)), stride=2, transposed=True),
    Template(3, ((64, 64),), stride=2, transposed=True),
    Template(3, ((16, 32), (64, 64)), dims=1),
    Template(3, ((4, 16), (16, 32)), dims=3),
)
_COMMON_USES: tuple[tuple[DType, Direction], ...] = (
    ("float32", "forward"),
    ("float32", "backward"),
    ("float32", "backward-weights"),
    ("float16", "forward"),
    ("float16", "backward"),
    ("float16", "backward-weights"),
)
_RARE_USES: tuple[tuple[DType, Direction], ...] = (
    ("float32", "backward-data"),
    ("bfloat16", "forward"),
    ("bfloat16", "backward"),
)


class Kind(NamedTuple):
    """One class of layers.

    Attributes:
        template: what is computed.
        dtype: element type.
        direction: forward, or which gradients.
        thorough: whether all common sides are tried, and batches; else the largest alone.
    """

    template: Template
    dtype: DType
    direction: Direction
    thorough: bool = True

    @property
    def name(self) -> str:
        """For users."""
        case = self.case(self.template.channels[0], 1, _ROOM, _ROOM)
        return f"{layers_of(case)} {use_of(case)}"

    def case(self, channels: tuple[int, int], n: int, height: int, width: int) -> ConvCase:
        """A layer of the class."""
        template, (c_in, c_out) = self.template, channels
        flat, deep = template.dims == 1, template.dims == 3
        padding = 0 if template.transposed else template.dilation * (template.kernel // 2)
        return ConvCase(
            c_in,
            c_out,
            1 if flat else height,
            width,
            1 if flat else template.kernel,
            template.kernel,
            n=n,
            stride=template.stride,
            padding=0 if template.kernel % 2 == 0 else padding,
            dilation=template.dilation,
            groups=template.groups or c_in,
            dtype=self.dtype,
            direction=self.direction,
            dims=template.dims,
            depth=min(height, _MOST_DEPTH) if deep else 1,
            kd=template.kernel if deep else 1,
            transposed=template.transposed,
            memory_format=template.memory_format,
        )


_MOST_DEPTH = 16
# Any kernel fits a map of this side.
_ROOM = 64


def kinds(form: Form) -> list[Kind]:
    """The classes that are tried, in their order."""
    if form == "quick":
        return [Kind(_THREE, *use) for use in (*_COMMON_USES[:3], _RARE_USES[0])]
    common = [Kind(each, *use) for use in _COMMON_USES for each in _TEMPLATES]
    rare = [Kind(each, *use, thorough=False) for use in _COMMON_USES for each in _RARE]
    other = [Kind(each, *use, thorough=False) for use in _RARE_USES for each in _TEMPLATES]
    return [*common, *rare, *other]


class Shapes:
    """Sizes of maps that are tried.

    Args:
        max_side: no map is higher or wider, in pixels.
        limits: sides at which something else was found to be decided.
    """

    def __init__(self, max_side: int, limits: Sequence[int] = ()) -> None:
        """Keep the sides that are small enough."""
        self._max_side = max_side
        halves = [limit // 2 for limit in limits]
        sides = {*_SIDES, max_side, *limits, *halves}
        self.sides = sorted(side for side in sides if 1 <= side <= max_side)

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Height and width: squares, and maps twice as wide or as high."""
        found = dict.fromkeys((side, side) for side in self.sides)
        for side in self.sides:
            longer = min(2 * side, self._max_side)
            found.setdefault((side, longer))
            found.setdefault((longer, side))
        return list(found)

    def long(self) -> list[tuple[int, int]]:
        """Maps of each height and each width that are as long as any."""
        most = self._max_side
        return [pair for side in self.sides for pair in ((side, most), (most, side))]


def ascending(kind: Kind, shapes: Shapes) -> Iterator[ConvCase]:
    """The smallest layers of a class at each side, smallest side first."""
    for side in shapes.sides:
        if fits(kind, side):
            yield kind.case(kind.template.channels[0], 1, side, side)


def corners(kind: Kind, shapes: Shapes) -> list[ConvCase]:
    """All layers of a class that may be tried, largest first."""
    channels = kind.template.channels if kind.thorough else kind.template.channels[-1:]
    batches = _BATCHES if kind.thorough else _BATCHES[:1]
    found = []
    for number, each in enumerate(channels):
        pairs = shapes.pairs + (shapes.long() if number == 0 and kind.thorough else [])
        if not kind.thorough or kind.template.dims != 2:
            pairs = [(side, side) for side in shapes.sides]
        if each[0] > _MOST_CHANNELS_OF_HIGH_MAPS:
            pairs = [(height, width) for height, width in pairs if height <= width]
        for n in batches:
            for height, width in pairs:
                if fits(kind, min(height, width)):
                    case = kind.case(each, n, height, width)
                    if case.multiply_accumulates <= _MOST_MULTIPLICATIONS:
                        found.append(case)
    return sorted(found, key=size, reverse=True)


def fits(kind: Kind, side: int) -> bool:
    """Whether the kernel fits the map without its padding."""
    return kind.template.dilation * (kind.template.kernel - 1) < side


def size(case: ConvCase) -> int:
    """How much a layer stands for: of two where one is contained in the other, the larger."""
    return case.n * case.c_in * case.c_out * case.h * case.w * case.depth
