"""How the windows of tiles are copied from a tensor to the batch of a call, without tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .axis import Axis
from .tiles import Block, Copy, copy_of, strides, view

# A padded copy of more is made in two halves, as it lies in memory next to the batch.
_LARGE_BYTES = 24 * 1024 * 1024


class Slice(NamedTuple):
    """Some channels of the windows.

    Attributes:
        fill: from the source to its place among zeros; None where nothing is padded.
        windows: from there, else from the source, to the batch.
    """

    fill: Copy | None
    windows: Copy


class Gather(NamedTuple):
    """How the windows of a block become a batch.

    Attributes:
        padded: number of elements of a slice with the zeros around it, whose place the next one
            takes; 0 where nothing is padded.
        slices: one or two.
        batch: shape in the order of memory: tiles times images, channels, windows; the channels
            last where they vary fastest.
    """

    padded: int
    slices: tuple[Slice, ...]
    batch: tuple[int, ...]


def gather(
    shape: Sequence[int],
    channels: tuple[int, int],
    axes: tuple[Axis, ...],
    block: Block,
    *,
    channels_last: bool,
    itemsize: int,
) -> Gather:
    """Return how the windows of a block become a batch, the tiles before the images.

    Args:
        shape: of the source, which is dense.
        channels: the first one and their number.
        axes: how the spatial axes are cut.
        block: which windows.
        channels_last: whether the channels vary fastest in memory.
        itemsize: bytes of an element.
    """
    reach = [_reach(axis, tiles) for axis, tiles in zip(axes, block.tiles, strict=True)]
    tiles = math.prod(count for _, count in block.tiles)
    batch = (tiles * block.images[1], channels[1], *(axis.window for axis in axes))
    padded = 0
    if any(each.before or each.after for each in reach):
        sizes = (each.before + each.size + each.after for each in reach)
        padded = block.images[1] * math.prod(sizes)
    number = channels[1]
    if number % 2 == 0 and padded * number * itemsize > _LARGE_BYTES:
        number //= 2
    memory: Any = {"channels_last": channels_last, "itemsize": itemsize}
    slices = tuple(
        _slice(shape, (channels[0] + first, number), axes, block, batch, first, **memory)
        for first in range(0, channels[1], number)
    )
    in_memory = view(batch, batch, 0, channels_last=channels_last).size
    return Gather(padded * number, slices, in_memory)


def _slice(
    shape: Sequence[int],
    channels: tuple[int, int],
    axes: tuple[Axis, ...],
    block: Block,
    batch: Sequence[int],
    place: int,
    *,
    channels_last: bool,
    itemsize: int,
) -> Slice:
    """Return how some channels get to their place in a batch of a shape."""
    starts, sizes, befores, afters = zip(*map(_reach, axes, block.tiles), strict=True)
    part = (block.images[1], channels[1], *sizes)
    steps = strides(shape, channels_last=channels_last)
    offset = sum(map(int.__mul__, (block.images[0], channels[0], *starts), steps))
    fill = None
    if any((*befores, *afters)):
        inside = view(part, steps, offset, channels_last=channels_last)
        whole = (*part[:2], *map(sum, zip(sizes, befores, afters, strict=True)))
        steps = strides(whole, channels_last=channels_last)
        offset = sum(map(int.__mul__, befores, steps[2:]))
        among_zeros = view(part, steps, offset, channels_last=channels_last)
        fill, offset = copy_of(inside, among_zeros, itemsize), 0
    counts = [count for _, count in block.tiles]
    size = (*counts, *part[:2], *batch[2:])
    across = [axis.step * step for axis, step in zip(axes, steps[2:], strict=True)]
    read = view(size, (*across, *steps), offset, channels_last=channels_last, channel=len(axes) + 1)
    steps = strides(batch, channels_last=channels_last)
    across = [math.prod(counts[dim + 1 :]) * part[0] * steps[0] for dim in range(len(axes))]
    written = view(
        size,
        (*across, *steps),
        place * steps[1],
        channels_last=channels_last,
        channel=len(axes) + 1,
    )
    return Slice(fill, copy_of(read, written, itemsize))


class _Reach(NamedTuple):
    """Pixels of an axis that the windows of a block read, and the zeros around them."""

    start: int
    size: int
    before: int
    after: int


def _reach(axis: Axis, tiles: tuple[int, int]) -> _Reach:
    first, count = tiles
    start = first * axis.step - axis.before
    stop = start + (count - 1) * axis.step + axis.window
    low = min(max(start, 0), axis.source)
    high = max(low, min(stop, axis.source))
    before = min(max(-start, 0), stop - start)
    return _Reach(low, high - low, before, stop - start - before - (high - low))
