"""Where tiles lie in a tensor and in the batch of another: sizes and strides, without tensors.

They are computed once for each plan: for small layers the views would take longer than the
convolution.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .axis import Axis


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


class Gather(NamedTuple):
    """How the windows of a block become a batch.

    Attributes:
        inside: part of the source that is read.
        padding: zeros around it, as ``torch.constant_pad_nd`` takes them; empty without any.
        windows: view of the padded part, in the order of the batch's elements in memory.
        batch: shape of the copied view: tiles times images, channels, windows; the channels
            last where they vary fastest.
    """

    inside: View
    padding: tuple[int, ...]
    windows: View
    batch: tuple[int, ...]


class Placement(NamedTuple):
    """Where values of a call go: views of the same size of the values and of the result."""

    values: View
    result: View


def blocks(images: int, axes: tuple[Axis, ...], per_call: int) -> Iterator[Block]:
    """Yield blocks of at most ``per_call`` tiles that cover all images and axes.

    Whole images come together where there is room, else whole rows of one image, and so on, in
    blocks of equal size as far as it goes: a backend may search anew for each shape.
    """
    counts = [images, *(axis.tiles for axis in axes)]
    sizes = []
    for position, count in enumerate(counts):
        inner = math.prod(counts[position + 1 :])
        size = max(1, min(count, per_call // inner))
        sizes.append(-(-count // -(-count // size)))
    ranges = [
        [(first, min(size, count - first)) for first in range(0, count, size)]
        for count, size in zip(counts, sizes, strict=True)
    ]
    for first, *rest in itertools.product(*ranges):
        yield Block(first, tuple(rest))


def strides(shape: Sequence[int], *, channels_last: bool) -> tuple[int, ...]:
    """Return the strides of a dense tensor of shape (images, channels, *sizes)."""
    order = [0, *range(2, len(shape)), 1] if channels_last else list(range(len(shape)))
    result, step = [0] * len(shape), 1
    for dim in reversed(order):
        result[dim] = step
        step *= shape[dim]
    return tuple(result)


def gather(
    shape: Sequence[int],
    channels: tuple[int, int],
    axes: tuple[Axis, ...],
    block: Block,
    *,
    channels_last: bool,
) -> Gather:
    """Return how the windows of a block become a batch, the tiles before the images.

    Args:
        shape: of the source, which is dense.
        channels: the first one and their number.
        axes: how the spatial axes are cut.
        block: which windows.
        channels_last: whether the channels vary fastest in memory.
    """
    starts, sizes = [], []
    padding: list[int] = []
    for axis, (first, count) in zip(axes, block.tiles, strict=True):
        start = first * axis.step - axis.before
        stop = start + (count - 1) * axis.step + axis.window
        low = min(max(start, 0), axis.source)
        high = max(low, min(stop, axis.source))
        before = min(max(-start, 0), stop - start)
        starts.append(low)
        sizes.append(high - low)
        padding[:0] = before, stop - start - before - (high - low)
    part = (block.images[1], channels[1], *sizes)
    steps = strides(shape, channels_last=channels_last)
    offset = sum(map(int.__mul__, (block.images[0], channels[0], *starts), steps))
    inside = View(part, steps, offset)
    if any(padding):
        pads = zip(sizes, padding[-2::-2], padding[::-2], strict=True)
        part = (*part[:2], *(size + before + after for size, before, after in pads))
        steps = strides(part, channels_last=channels_last)
    counts = [count for _, count in block.tiles]
    windows = [axis.window for axis in axes]
    tile_steps = [axis.step * step for axis, step in zip(axes, steps[2:], strict=True)]
    of_batch = ([*counts, part[0]], [*tile_steps, steps[0]])
    of_tile = [(part[1], steps[1]), *zip(windows, steps[2:], strict=True)]
    if channels_last:
        of_tile = [*of_tile[1:], of_tile[0]]
    size = (*of_batch[0], *(size for size, _ in of_tile))
    stride = (*of_batch[1], *(step for _, step in of_tile))
    batch = (math.prod(of_batch[0]), *(size for size, _ in of_tile))
    # A view of a padded part starts at its first element, one of the source where it lies.
    view = View(size, stride, 0 if any(padding) else offset)
    return Gather(inside, tuple(padding) if any(padding) else (), view, batch)


def placements(
    values: Sequence[int],
    result: Sequence[int],
    channel: int,
    axes: tuple[Axis, ...],
    block: Block,
    *,
    channels_last: bool,
) -> tuple[Placement, ...]:
    """Return where the values go that a call returned for the windows of a block.

    Args:
        values: their shape (tiles * images, channels, *sizes); they are dense.
        result: shape (images, channels, *spatial sizes) of the result, which is dense.
        channel: of the result, the first one of the values.
        axes: how the spatial axes are cut.
        block: which tiles.
        channels_last: whether the channels vary fastest in memory.
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
        target = start + sum(
            piece.start * step for piece, step in zip(pieces, wanted[2:], strict=True)
        )
        across = (axis.tile * step for axis, step in zip(axes, wanted[2:], strict=True))
        placed.append(
            Placement(
                View(size, (*batch_steps, given[1], *given[2:]), offset),
                View(size, (*across, wanted[0], wanted[1], *wanted[2:]), target),
            )
        )
    return tuple(placed)


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
