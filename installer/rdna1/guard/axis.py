"""How one spatial axis of a convolution is cut into tiles that give the same values."""

from __future__ import annotations

from typing import NamedTuple


class Axis(NamedTuple):
    """Equal windows over the padded source of an operation, and what each gives.

    Tile number i reads ``window`` pixels from ``i * step`` of the source padded with ``before``
    zeros; of what the operation returns for it, ``tile`` pixels from ``crop`` on are pixels
    ``i * tile`` and following of the result. A negative ``before`` leaves out pixels that no
    result needs.

    Attributes:
        source: pixels of the source.
        before: zeros before the source.
        window: pixels that a tile reads.
        step: from one window to the next.
        result: pixels of the result.
        tile: pixels of the result that a tile gives.
        crop: pixels that the operation returns before those.
        padding: zeros before and after the window that the operation is asked for itself; where
            the axis is not cut, there is no need for a padded copy.
    """

    source: int
    before: int
    window: int
    step: int
    result: int
    tile: int
    crop: int
    padding: int = 0

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return -(-self.result // self.tile)


def forward_axis(
    size: int, output: int, kernel: int, stride: int, before: int, dilation: int, tile: int
) -> Axis:
    """Cut the output of a convolution.

    Args:
        size: pixels of the input.
        output: pixels of the output.
        kernel: size of the kernel.
        stride: of the kernel.
        before: zeros before the input.
        dilation: of the kernel.
        tile: pixels of the output for each tile.
    """
    if tile >= output:
        return Axis(size, 0, size, size, output, output, 0, before)
    window = (tile - 1) * stride + dilation * (kernel - 1) + 1
    return Axis(size, before, window, tile * stride, output, tile, 0)


def input_gradient_axis(
    size: int, output: int, kernel: int, stride: int, before: int, dilation: int, tile: int
) -> Axis:
    """Cut the input gradient of a convolution, whose source is the output's gradient.

    Pixel x of the input meets output pixels from ``(x + before - reach + 1) / stride`` rounded up
    to ``(x + before) / stride`` rounded down; a tile reads all of those that its pixels meet.

    Args:
        size: pixels of the input.
        output: pixels of the output.
        kernel: size of the kernel.
        stride: of the kernel.
        before: zeros before the input.
        dilation: of the kernel.
        tile: pixels of the input for each tile, a multiple of the stride or all of them.
    """
    if tile >= size:
        return Axis(output, 0, output, output, size, size, 0, before)
    # No later than the tile, which a stride larger than the kernel would leave without a source.
    first = min(-((dilation * (kernel - 1) - before) // stride), before // stride)
    last = (tile - 1 + before) // stride
    window = max(last - first + 1, 1)
    return Axis(output, -first, window, max(1, tile // stride), size, tile, before - stride * first)


def gradient_windows(axis: Axis) -> Axis:
    """Return the windows over the output's gradient that belong to those of `forward_axis`."""
    return Axis(axis.result, 0, axis.tile, axis.tile, axis.result, axis.tile, 0)
