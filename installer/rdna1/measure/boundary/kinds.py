"""The classes of layers that networks are made of, and the layers that are tried in each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from typing import Literal, NamedTuple

import msgspec

from rdna1.conv.case import ConvCase, Dims, Direction, DType, MemoryFormat
from rdna1.conv.limits import QUANTITIES
from rdna1.conv.result import CaseResult
from rdna1.measure.boundary.tried import class_of

Form = Literal["quick", "full"]

# Sides of maps in common networks, at inputs of 128, 160, 224, 256, 320, 384, 448, 512.
_SIDES = (
    *(1, 2, 4, 7, 8, 10, 12, 14, 16, 20, 21, 24, 28, 32, 36, 40, 42, 48, 56, 64, 80, 96, 112),
    *(128, 160, 192, 224, 256, 320, 384, 448, 512),
)

_DENSE = ((3, 32), (16, 32), (32, 64), (64, 64), (64, 128), (128, 128), (256, 256))
_POINTWISE = ((4, 32), (64, 64), (64, 256), (256, 256), (256, 512))
_STEM = ((3, 32), (3, 64))
_BATCHES = (1, 4, 16)

# Multiply-accumulates of the largest case, in forward: some tenths of a second on two processor
# cores. For all dtypes and directions the same, so that they end up with the same limits.
_MOST_MULTIPLICATIONS = 3_000_000_000
# The same for the largest batch: what layers of a ResNet-50 take for 16 images of 224 pixels.
_MOST_IN_A_BATCH = 1_900_000_000
# Input and output together: some 150 MB in float32, and twice as much as the reference.
_MOST_ELEMENTS = 40_000_000


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
    Template(5, ((3, 32), (64, 64))),
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
# Those of which the stride is 1, as a product has none.
_PRODUCTS = (Template(1, _POINTWISE), Template(1, ((64, 64), (256, 256)), groups=4))
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
        return class_of(self.case(self.template.channels[0], 1, _ROOM, _ROOM))

    def case(self, channels: tuple[int, int], n: int, height: int, width: int) -> ConvCase:
        """Return a layer of the class."""
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
_PLANE = 2
# From one side to the next where a class is tried from below; what is between them and fails costs
# a hang more, and a class that has no limit takes half as many cases.
_STEP = 3.5
# Any kernel fits a map of this side.
_ROOM = 64


def kinds(form: Form) -> list[Kind]:
    """Return the classes that are tried, in their order."""
    if form == "quick":
        return [Kind(_THREE, *use) for use in (*_COMMON_USES[:3], _RARE_USES[0])]
    common = [Kind(each, *use) for use in _COMMON_USES for each in _TEMPLATES]
    rare = [Kind(each, *use, thorough=False) for use in _COMMON_USES for each in _RARE]
    other = [Kind(each, *use, thorough=False) for use in _RARE_USES for each in _TEMPLATES]
    return [*common, *rare, *other]


def kinds_of_products(form: Form) -> list[Kind]:
    """Return the classes that are computed as plain matrix products, in their order."""
    uses = _COMMON_USES[:3] if form == "quick" else _COMMON_USES
    other = [] if form == "quick" else _RARE_USES
    return [
        *(Kind(each, *use) for use in uses for each in _PRODUCTS[:1]),
        *(Kind(each, *use, thorough=False) for use in uses for each in _PRODUCTS[1:]),
        *(Kind(each, *use, thorough=False) for use in other for each in _PRODUCTS[:1]),
    ]


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


def ascending(kind: Kind, shapes: Shapes) -> Iterator[ConvCase]:
    """Return the smallest layers of a class at some sides, smallest side first.

    Of the first class all sides are tried, as a card may fail at one and not at a larger one. Of
    the others they are far apart: what fails between two of them is found from the corners.
    """
    last = 0.0
    for side in shapes.sides:
        every = kind.template is _THREE and (kind.dtype, kind.direction) == _COMMON_USES[0]
        if fits(kind, side) and (every or side >= _STEP * last):
            last = side
            yield kind.case(kind.template.channels[0], 1, side, side)


def corners(kind: Kind, shapes: Shapes) -> list[ConvCase]:
    """Return all layers of a class that may be tried, largest first.

    A map that is not square is there to come near a limit that squares exceed, so it is tried
    only where the square around it could be.
    """
    channels = kind.template.channels if kind.thorough else kind.template.channels[-1:]
    flat = not kind.thorough or kind.template.dims != _PLANE
    found = []
    for number, each in enumerate(channels):
        pairs = [(side, side) for side in shapes.sides] if flat else shapes.pairs
        if number:
            pairs = [(height, width) for height, width in pairs if height <= width]
        for n in _BATCHES if kind.thorough else _BATCHES[:1]:
            for height, width in pairs:
                if not fits(kind, min(height, width)):
                    continue
                square = kind.case(each, n, *[max(height, width)] * 2)
                if _affordable(square):
                    found.append(square if height == width else kind.case(each, n, height, width))
    return sorted(found, key=size, reverse=True)


def _fits_bare(case: ConvCase) -> bool:
    """Tell whether a layer's kernel fits its map without padding."""
    axes = zip(case.kernel_size, case.input_size, strict=True)
    return all(case.dilation * (kernel - 1) < size for kernel, size in axes)


def channels_of_tried_classes(results: Iterable[CaseResult]) -> list[ConvCase]:
    """Return a layer for each usual number of channels of classes of which some were run."""
    run = {class_of(result.case) for result in results}
    return [case for name, case in _usual_layers() if name in run]


@cache
def _usual_layers() -> list[tuple[str, ConvCase]]:
    """Return a layer for each usual number of channels of each class, with the class."""
    every = (
        kind.case(channels, 1, _ROOM, _ROOM)
        for kind in kinds("full")
        for channels in kind.template.channels
    )
    return [(class_of(case), case) for case in every]


def _affordable(case: ConvCase) -> bool:
    elements = math.prod(case.input_shape) + math.prod(case.output_shape)
    work = case.n * QUANTITIES["work"](case)
    most = _MOST_IN_A_BATCH if case.n == _BATCHES[-1] else _MOST_MULTIPLICATIONS
    return work <= most and elements <= _MOST_ELEMENTS


def with_less(kind: Kind, passed: Sequence[ConvCase]) -> list[ConvCase]:
    """Layers that have less of something than those of a class that passed.

    The usual numbers of channels, and one channel without padding, on the largest map, of several
    images where they were tried; and the largest layer without padding. Where large layers pass
    these do, too, unless a card fails at little.

    Args:
        kind: the class.
        passed: its layers that passed.
    """
    several = [case for case in passed if case.n > 1] or passed
    map_ = max(several, key=lambda case: case.n * case.h * case.w, default=None)
    most = max(passed, key=size, default=None)
    if map_ is None or most is None or not (_fits_bare(map_) and _fits_bare(most)):
        return []
    groups, depthwise = map_.groups, kind.template.groups is None
    channels = (
        (map_.c_in, map_.c_out) if depthwise else (groups if groups == 1 else 2 * groups, groups)
    )
    little = msgspec.structs.replace(
        map_, c_in=channels[0], c_out=channels[1], padding=0, n=min(map_.n, 2)
    )
    bare = msgspec.structs.replace(most, padding=0)
    usual = [
        msgspec.structs.replace(map_, c_in=c_in, c_out=c_out)
        for c_in, c_out in kind.template.channels
        if not depthwise and c_in <= map_.c_in and c_out <= map_.c_out
    ]
    return [case for case in (*usual, little, bare) if case not in passed]


def fits(kind: Kind, side: int) -> bool:
    """Tell whether the kernel fits the map without its padding."""
    return kind.template.dilation * (kind.template.kernel - 1) < side


def size(case: ConvCase) -> int:
    """Return how much a layer stands for: the larger one, of two where one contains the other."""
    return case.n * case.c_in * case.c_out * case.h * case.w * case.depth
