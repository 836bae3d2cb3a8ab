"""One convolution to measure."""

from __future__ import annotations

from typing import Literal

import msgspec

Direction = Literal["forward", "backward"]
DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")

DType = Literal["float32", "float16", "bfloat16"]

BYTES_PER_ELEMENT: dict[DType, int] = {"float32": 4, "float16": 2, "bfloat16": 2}

_AT_LEAST_ONE = ("c_in", "c_out", "h", "w", "kh", "kw", "n", "stride", "dilation", "groups")


class ConvCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A two-dimensional convolution; its JSON form has one key for each attribute.

    Attributes:
        c_in: input channels.
        c_out: output channels.
        h: input height in pixels.
        w: input width in pixels.
        kh: kernel height.
        kw: kernel width.
        n: batch size.
        stride: step of the kernel, both axes.
        padding: zeros added on every side.
        dilation: distance between kernel elements, both axes.
        groups: number of channel groups; ``c_in`` makes the convolution depthwise.
        dtype: element type of input, weight and result.
        direction: ``forward`` computes the output; ``backward`` the gradients of input
            and weight from a gradient of the output.

    Raises:
        ValueError: a size is below 1, the groups do not divide the channels, or the output
            would be empty.
    """

    c_in: int
    c_out: int
    h: int
    w: int
    kh: int
    kw: int
    n: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    dtype: DType = "float32"
    direction: Direction = "forward"

    def __post_init__(self) -> None:
        """Refuse what no convolution can be."""
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.padding < 0:
            raise ValueError(f"padding must be at least 0, not {self.padding}")
        if self.c_in % self.groups or self.c_out % self.groups:
            raise ValueError(f"{self.groups} groups do not divide {self.c_in}->{self.c_out}")
        if self.h_out < 1 or self.w_out < 1:
            raise ValueError(f"a {self.kh}x{self.kw} kernel does not fit {self.h}x{self.w}")

    @property
    def h_out(self) -> int:
        """Output height in pixels."""
        return self._output_side(self.h, self.kh)

    @property
    def w_out(self) -> int:
        """Output width in pixels."""
        return self._output_side(self.w, self.kw)

    def _output_side(self, side: int, kernel: int) -> int:
        return (side + 2 * self.padding - self.dilation * (kernel - 1) - 1) // self.stride + 1

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Batch, channels, height, width of the input."""
        return (self.n, self.c_in, self.h, self.w)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Output channels, input channels of a group, height, width of the kernel."""
        return (self.c_out, self.c_in // self.groups, self.kh, self.kw)

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """Batch, channels, height, width of the output."""
        return (self.n, self.c_out, self.h_out, self.w_out)

    @property
    def workspace_bytes(self) -> int:
        """Size of the im2col buffer that explicit GEMM asks for, in bytes.

        MIOpen's ``GemmFwdRest::GetWorkspaceSize`` (ROCm/MIOpen, src/solver/gemm.cpp at
        rocm-5.7.0) multiplies the weight's channels with the groups, so groups cancel out,
        and works image by image, so the batch does not enter.
        """
        columns = self.h_out * self.w_out
        return self.c_in * self.kh * self.kw * columns * BYTES_PER_ELEMENT[self.dtype]

    @property
    def label(self) -> str:
        """Short name for people, for example ``16->32 3x3 42x42 forward``."""
        return f"{self.layer} {self.direction}"

    @property
    def layer(self) -> str:
        """The label without the direction.

        Values that a reader would expect are left out: batch 1, stride 1, padding that keeps
        the side, dilation 1, one group, float32.
        """
        same_padding = self.dilation * (self.kh - 1) // 2
        parts = [
            f"{self.c_in}->{self.c_out} {self.kh}x{self.kw}",
            f"s{self.stride}" if self.stride != 1 else "",
            f"p{self.padding}" if self.padding != same_padding else "",
            f"d{self.dilation}" if self.dilation != 1 else "",
            f"g{self.groups}" if self.groups != 1 else "",
            f"n{self.n}" if self.n != 1 else "",
            f"{self.h}x{self.w}",
            self.dtype if self.dtype != "float32" else "",
        ]
        return " ".join(filter(None, parts))
