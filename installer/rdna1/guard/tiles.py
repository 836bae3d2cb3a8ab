"""Where tiles lie in tensors: sizes and strides, without tensors.

They are computed once for each plan: for small layers the views would take longer than the
convolution.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .axis import Axis

_WIDEST = 8
# Copies of less are done before their views as wider elements are made.
_WIDE_COPY_BYTES = 8 * 1024 * 1024


class Block(NamedTuple):
    """What one call of the backend computes.

    Attributes:
        images: the first one and their number.
        tiles: by axis, the first one and their number.
    """

    images: tuple[int, int]
    tiles: tuple[tuple[int, int], ...]


class View(NamedTuple):
    """Arguments of ``torch.as_strided``; the offset is from the tensor's first element."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


class Copy(NamedTuple):
    """Views of the same size of two tensors, the one to be copied to the other.

    Attributes:
        source: what is read.
        target: what is written.
        width: bytes that may be moved at once, one element or several neighbours: a card copies
            small elements at a fraction of its memory's rate.
    """

    source: View
    target: View
    width: int


def blocks(
    images: int, axes: tuple[Axis, ...], per_call: int, first_call: int = 0
) -> Iterator[Block]:
    """Yield blocks of at most ``per_call`` tiles that cover all images and axes.

    Whole images come together where there is room, else whole rows of one image, and so on, in
    blocks of equal size as far as it goes: a backend may search again for each shape. With
    ``first_call`` there are two, and the first has so many tiles.
    """
    counts = [images, *(axis.tiles for axis in axes)]
    sizes = _cut_once(counts, first_call) if first_call else _cut_evenly(counts, per_call)
    ranges = [
        [(first, min(size, count - first)) for first in range(0, count, size)]
        for count, size in zip(counts, sizes, strict=True)
    ]
    for first, *rest in itertools.product(*ranges):
        yield Block(first, tuple(rest))


def _cut_evenly(counts: Sequence[int], per_call: int) -> list[int]:
    sizes = []
    for position, count in enumerate(counts):
        inner = math.prod(counts[position + 1 :])
        size = max(1, min(count, per_call // inner))
        sizes.append(-(-count // -(-count // size)))
    return sizes


def _cut_once(counts: Sequence[int], first: int) -> list[int]:
    """Return sizes of which one alone is less than its count: that of the outermost axis it can be.

    Raises:
        StopIteration: on no axis it can be.
    """
    units = [math.prod(counts) // count for count in counts]
    cut = next(position for position, unit in enumerate(units) if first % unit == 0)
    return [first // units[cut] if number == cut else count for number, count in enumerate(counts)]


def strides(shape: Sequence[int], *, channels_last: bool) -> tuple[int, ...]:
    """Return the strides of a dense tensor of shape (images, channels, *sizes)."""
    order = [0, *range(2, len(shape)), 1] if channels_last else list(range(len(shape)))
    result, step = [0] * len(shape), 1
    for dim in reversed(order):
        result[dim] = step
        step *= shape[dim]
    return tuple(result)


def placements(
    values: Sequence[int],
    result: Sequence[int],
    channel: int,
    axes: tuple[Axis, ...],
    block: Block,
    *,
    channels_last: bool,
    itemsize: int,
) -> tuple[Copy, ...]:
    """Return where the values go that a call returned for the windows of a block.

    Args:
        values: their shape (tiles * images, channels, *sizes); they are dense.
        result: shape (images, channels, *spatial sizes) of the result, which is dense.
        channel: of the result, the first one of the values.
        axes: how the spatial axes are cut.
        block: which tiles.
        channels_last: whether the channels vary fastest in memory.
        itemsize: bytes of an element.
    """
    n = len(axes)
    counts = [*(count for _, count in block.tiles), block.images[1]]
    given = strides(values, channels_last=channels_last)
    wanted = strides(result, channels_last=channels_last)
    batch_steps = [math.prod(counts[dim + 1 :]) * given[0] for dim in range(n + 1)]
    start = block.images[0] * wanted[0] + channel * wanted[1]
    # The last tile of an axis may give more pixels than are left.
    parts = [_whole_and_rest(axis, *tiles) for axis, tiles in zip(axes, block.tiles, strict=True)]
    placed = []
    for pieces in itertools.product(*parts):
        size = (
            *(piece.tiles for piece in pieces),
            block.images[1],
            values[1],
            *(piece.pixels for piece in pieces),
        )
        offset = sum(
            piece.tile * tile_step + axis.crop * step
            for piece, axis, tile_step, step in zip(
                pieces, axes, batch_steps[:n], given[2:], strict=True
            )
        )
        begin = start + sum(
            piece.start * step for piece, step in zip(pieces, wanted[2:], strict=True)
        )
        across = [axis.tile * step for axis, step in zip(axes, wanted[2:], strict=True)]
        source = view(
            size, (*batch_steps, *given[1:]), offset, channels_last=channels_last, channel=n + 1
        )
        target = view(size, (*across, *wanted), begin, channels_last=channels_last, channel=n + 1)
        placed.append(copy_of(source, target, itemsize))
    return tuple(placed)


def view(
    size: Sequence[int],
    stride: Sequence[int],
    offset: int,
    *,
    channels_last: bool,
    channel: int = 1,
) -> View:
    """Return a view whose last dimension is what varies fastest in memory, the channels or not."""
    order = list(range(len(size)))
    if channels_last:
        order.append(order.pop(channel))
    return View(tuple(size[dim] for dim in order), tuple(stride[dim] for dim in order), offset)


def copy_of(source: View, target: View, itemsize: int) -> Copy:
    """Return a copy of one view to the other, of elements of so many bytes."""
    is_large = math.prod(source.size) * itemsize >= _WIDE_COPY_BYTES
    return Copy(source, target, _width(itemsize, source, target) if is_large else itemsize)


def _width(itemsize: int, *views: View) -> int:
    """Return how many bytes, at most eight, are neighbours in all views and begin at multiples."""
    width = max(_WIDEST, itemsize)
    while width > itemsize:
        number = width // itemsize
        places = [view.offset for view in views]
        for view in views:
            places += [view.size[-1], *view.stride[:-1]]
        if all(view.stride[-1] == 1 for view in views) and not any(
            place % number for place in places
        ):
            return width
        width //= 2
    return itemsize


class _Piece(NamedTuple):
    """Tiles that give the same number of pixels each."""

    tile: int
    tiles: int
    start: int
    pixels: int


def _whole_and_rest(axis: Axis, first: int, count: int) -> list[_Piece]:
    start = first * axis.tile
    whole = min(count, (axis.result - start) // axis.tile)
    pieces = [_Piece(0, whole, start, axis.tile)] if whole else []
    if whole < count:
        begin = start + whole * axis.tile
        pieces.append(_Piece(whole, 1, begin, axis.result - begin))
    return pieces
