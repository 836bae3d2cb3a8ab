"""One convolution as a backend sees it, and the quantities that an envelope may limit."""

from __future__ import annotations

import math
from typing import NamedTuple

FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT = "forward", "backward-data", "backward-weights"


class Layer(NamedTuple):
    """A plain convolution, in one of its three directions.

    A transposed convolution is the input gradient of the plain one that maps its output to its
    input, as backends run it (PyTorch, aten/src/ATen/native/miopen/Conv_miopen.cpp).

    Attributes:
        direction: ``forward``, ``backward-data`` or ``backward-weights``.
        n: images.
        c_in: channels of the input.
        c_out: channels of the output.
        size: spatial sizes of the input in pixels, outermost first, one to three.
        kernel: spatial sizes of the kernel.
        stride: by axis.
        padding: zeros before and after each axis, by axis.
        dilation: by axis.
        groups: of channels.
        dtype: name of the element type, as in ``float32``.
        itemsize: bytes of an element.
        channels_last: whether the channels vary fastest in memory.
        transposed: whether the program called a transposed convolution.
    """

    direction: str
    n: int
    c_in: int
    c_out: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    dtype: str = "float32"
    itemsize: int = 4
    channels_last: bool = False
    transposed: bool = False

    @property
    def reach(self) -> tuple[int, ...]:
        """Pixels that the dilated kernel spans, by axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def output_size(self) -> tuple[int, ...]:
        """Spatial sizes of the output."""
        axes = zip(self.size, self.padding, self.reach, self.stride, strict=True)
        return tuple((side + 2 * pad - reach) // step + 1 for side, pad, reach, step in axes)

    @property
    def label(self) -> str:
        """Short name for readers, as in ``conv2d 64->128 3x3 at 1x64x112x112 backward-data``."""
        shape = "x".join(map(str, (self.n, self.c_in, *self.size)))
        kernel = "x".join(map(str, self.kernel))
        name = f"conv{'_transpose' if self.transposed else ''}{len(self.size)}d"
        return f"{name} {self.c_in}->{self.c_out} {kernel} at {shape} {self.direction}"

    @property
    def workspace_bytes(self) -> int:
        """Size of the im2col buffer of one image in bytes; groups cancel out.

        It is that of `rdna1.conv.case.ConvCase.workspace_bytes`, where its source is.
        """
        columns = self.c_in * math.prod(self.kernel) * math.prod(self.output_size)
        return columns * self.itemsize

    @property
    def own_bytes(self) -> int:
        """Size of input and output in bytes."""
        elements = self.c_in * math.prod(self.size) + self.c_out * math.prod(self.output_size)
        return self.n * elements * self.itemsize


def quantities(layer: Layer) -> dict[str, int]:
    """Return the value of each quantity that an envelope may limit.

    Sizes are those of the larger map where the program called a transposed convolution, whose
    own input is the smaller one.
    """
    size = layer.size
    height, width = (size[-2] if len(size) > 1 else 1), size[-1]
    results = layer.n * layer.c_out * math.prod(layer.output_size)
    per_result = layer.c_in * math.prod(layer.kernel) // layer.groups
    return {
        "side": max(size),
        "height": height,
        "width": width,
        "shorter side": min(height, width),
        "area": math.prod(size),
        "workspace": layer.workspace_bytes,
        "input elements": layer.n * layer.c_in * math.prod(size),
        "output elements": results,
        "work": layer.c_out * math.prod(layer.output_size) * per_result,
    }


def attributes(layer: Layer) -> dict[str, tuple[object, ...]]:
    """Return the values that each attribute of a limit's ``when`` may have for a layer.

    Several where axes differ, or where a call may run as one thing or the other: a limit then
    holds if it holds for any of them.
    """
    size, kernel = (1, 1, *layer.size)[-3:], (1, 1, *layer.kernel)[-3:]
    directions: tuple[object, ...] = (layer.direction,)
    if layer.direction != FORWARD:
        directions = (*directions, "backward")
    if layer.transposed and layer.direction == INPUT_GRADIENT:
        directions = (*directions, FORWARD)
    return {
        "n": (layer.n,),
        "c_in": (layer.c_in,),
        "c_out": (layer.c_out,),
        "depth": (size[0],),
        "h": (size[1],),
        "w": (size[2],),
        "kd": (kernel[0],),
        "kh": (kernel[1],),
        "kw": (kernel[2],),
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": (layer.groups,),
        "dtype": (layer.dtype,),
        "direction": directions,
        "dims": (len(layer.size),),
        "transposed": (layer.transposed,),
        "memory_format": ("channels_last" if layer.channels_last else "contiguous",),
    }
