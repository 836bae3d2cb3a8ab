"""One convolution to measure."""

from __future__ import annotations

import functools
import math
import operator
from typing import Literal

import msgspec

Dims = Literal[1, 2, 3]
Direction = Literal["forward", "backward", "backward-data", "backward-weights"]
DIRECTIONS: tuple[Direction, ...] = ("forward", "backward", "backward-data", "backward-weights")

DType = Literal["float32", "float16", "bfloat16"]
MemoryFormat = Literal["contiguous", "channels_last"]

BYTES_PER_ELEMENT: dict[DType, int] = {"float32": 4, "float16": 2, "bfloat16": 2}

_AT_LEAST_ONE = (
    *("c_in", "c_out", "depth", "h", "w", "kd", "kh", "kw"),
    *("n", "stride", "dilation", "groups"),
)
_AT_LEAST_ZERO = ("padding", "output_padding")
_SMALLEST = (
    (_AT_LEAST_ONE, operator.attrgetter(*_AT_LEAST_ONE), 1),
    (_AT_LEAST_ZERO, operator.attrgetter(*_AT_LEAST_ZERO), 0),
)

# The axes that a convolution of fewer dimensions lacks; their sizes are 1.
_ABSENT: dict[Dims, tuple[str, ...]] = {1: ("depth", "kd", "h", "kh"), 2: ("depth", "kd"), 3: ()}


class ConvCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A convolution, or a transposed one; its JSON form has one key for each attribute.

    Attributes:
        c_in: input channels.
        c_out: output channels.
        h: input height in pixels, 1 for one dimension.
        w: input width in pixels; the length for one dimension.
        kh: kernel height, 1 for one dimension.
        kw: kernel width; its length for one dimension.
        n: batch size.
        stride: step of the kernel, all axes.
        padding: zeros added on every side; rows taken away on every side if transposed.
        dilation: distance between kernel elements, all axes.
        groups: number of channel groups; ``c_in`` makes the convolution depthwise.
        dtype: element type of input, weight and result.
        direction: ``forward`` computes the output; ``backward`` the gradients of input and
            weight from a gradient of the output; ``backward-data`` and ``backward-weights``
            the one or the other alone.
        dims: number of spatial dimensions, as in Conv1d, Conv2d and Conv3d.
        depth: input depth, 1 for fewer than three dimensions.
        kd: kernel depth, 1 for fewer than three dimensions.
        transposed: whether it is a ConvTranspose1d, 2d or 3d.
        output_padding: rows added on one side of a transposed convolution's output, all axes.
        memory_format: order of the elements; ``channels_last`` is channels_last_3d for three
            dimensions.

    Raises:
        ValueError: a size is below 1, the groups do not divide the channels, the output
            would be empty, or the attributes contradict each other.
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
    dims: Dims = 2
    depth: int = 1
    kd: int = 1
    transposed: bool = False
    output_padding: int = 0
    memory_format: MemoryFormat = "contiguous"

    def __post_init__(self) -> None:
        """Refuse what no convolution can be."""
        # The smallest of each alone, as a search makes thousands of cases.
        for names, get, least in _SMALLEST:
            if min(get(self)) < least:
                name = next(name for name in names if getattr(self, name) < least)
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        self._check_axes()
        self._check_output_padding()
        if self.c_in % self.groups or self.c_out % self.groups:
            raise ValueError(f"{self.groups} groups do not divide {self.c_in}->{self.c_out}")
        if min(self.output_size) < 1:
            kernel, size = _by(self.kernel_size), _by(self.input_size)
            what = "transposed " if self.transposed else ""
            raise ValueError(f"a {what}{kernel} kernel does not fit {size}: no output is left")

    def _check_axes(self) -> None:
        if self.dims not in _ABSENT:
            raise ValueError(f"dims must be 1, 2 or 3, not {self.dims}")
        for name in _ABSENT[self.dims]:
            if getattr(self, name) != 1:
                value = getattr(self, name)
                raise ValueError(f"{name} must be 1 with dims {self.dims}, not {value}")
        if self.dims == 1 and self.memory_format == "channels_last":
            raise ValueError("memory_format channels_last needs dims 2 or 3, not 1")

    def _check_output_padding(self) -> None:
        """The limit is PyTorch's (aten/src/ATen/native/NaiveConvolutionTranspose2d.cpp)."""
        if self.output_padding and not self.transposed:
            raise ValueError("output_padding is for transposed convolutions")
        limit = max(self.stride, self.dilation)
        if self.output_padding >= limit:
            raise ValueError(
                "output_padding must be smaller than stride or dilation, "
                f"not {self.output_padding} of {limit}"
            )

    @property
    def input_size(self) -> tuple[int, ...]:
        """Spatial sizes of the input, outermost first: (depth, height, width)[-dims:]."""
        return (self.depth, self.h, self.w)[-self.dims :]

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """Spatial sizes of the kernel, as `input_size`."""
        return (self.kd, self.kh, self.kw)[-self.dims :]

    @property
    def output_size(self) -> tuple[int, ...]:
        """Spatial sizes of the output, as `input_size`.

        The formulas are those of PyTorch's documentation of ``Conv2d`` and ``ConvTranspose2d``.
        """
        return _output_size(self)

    @property
    def longest_side(self) -> int:
        """Longest side of input and output, in pixels."""
        return max(*self.input_size, *self.output_size)

    @property
    def h_out(self) -> int:
        """Output height in pixels, 1 for one dimension."""
        return self.output_size[-2] if self.dims > 1 else 1

    @property
    def w_out(self) -> int:
        """Output width in pixels; the length for one dimension."""
        return self.output_size[-1]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Batch, channels, spatial sizes of the input."""
        return (self.n, self.c_in, *self.input_size)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight.

        Output channels, input channels of a group, spatial sizes of the kernel; for a transposed
        convolution input channels, output channels of a group, spatial sizes.
        """
        first, second = (self.c_in, self.c_out) if self.transposed else (self.c_out, self.c_in)
        return (first, second // self.groups, *self.kernel_size)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Batch, channels, spatial sizes of the output."""
        return (self.n, self.c_out, *self.output_size)

    @property
    def kernel_positions(self) -> int:
        """Number of places in one image where the kernel is laid down.

        One for each pixel of the output; of the input, if transposed.
        """
        return math.prod(self.input_size if self.transposed else self.output_size)

    @property
    def workspace_bytes(self) -> int:
        """Size of the im2col buffer that explicit GEMM asks for, in bytes.

        MIOpen (ROCm/MIOpen at rocm-5.7.0) has one formula for all directions and dimensions:
        ``GetWorkspaceSize`` of ``GemmFwdRest`` (src/solver/gemm.cpp), ``GemmBwdRest``
        (src/solver/gemm_bwd.cpp) and ``GemmWrwUniversal`` (src/solver/gemm_wrw.cpp) multiplies
        the weight's second size, the groups, the kernel's sizes, and the spatial sizes of y.
        So groups cancel out. They work image by image, so the batch does not enter.

        A transposed convolution is handed over as the backward-data of the plain one that maps
        its output to its input (PyTorch, aten/src/ATen/native/miopen/Conv_miopen.cpp,
        ``miopen_convolution_transpose_forward``): the channels are those of the output, the
        spatial sizes those of the input.

        It is the size of the columns, needed or not: solvers of their own take 1x1 kernels
        without padding (``GemmFwd1x1_0_1``, ``GemmFwd1x1_0_2`` and their kin), and no GEMM
        solver takes channels_last tensors (``IsLayoutDefault``).
        """
        channels = self.c_out if self.transposed else self.c_in
        columns = channels * math.prod(self.kernel_size) * self.kernel_positions
        return columns * BYTES_PER_ELEMENT[self.dtype]

    @property
    def tensor_bytes(self) -> int:
        """Size of the tensors that the direction reads and writes, in bytes, workspace apart."""
        image, weight, result = map(
            math.prod, (self.input_shape, self.weight_shape, self.output_shape)
        )
        gradients = {
            "forward": 0,
            "backward": image + weight,
            "backward-data": image,
            "backward-weights": weight,
        }
        elements = image + weight + result + gradients[self.direction]
        return elements * BYTES_PER_ELEMENT[self.dtype]

    @property
    def multiply_accumulates(self) -> int:
        """Number of multiply-accumulate operations of the plain sum, those with zeros included.

        Each element of the weight meets each position of the kernel once, in the output as in
        either gradient; ``backward`` computes two gradients. Two FLOP each.
        """
        once = self.n * math.prod(self.weight_shape) * self.kernel_positions
        return 2 * once if self.direction == "backward" else once

    @property
    def label(self) -> str:
        """Short name for users, for example ``16->32 3x3 42x42 forward``."""
        return f"{self.layer} {self.direction}"

    @property
    def layer(self) -> str:
        """The label without the direction.

        Values that a reader would expect are left out: two dimensions, batch 1, stride 1,
        padding that keeps the side (none if transposed), dilation 1, one group, float32.
        """
        usual_padding = 0 if self.transposed else self.dilation * (self.kernel_size[0] - 1) // 2
        parts = [
            f"{self.dims}d" if self.dims != 2 else "",
            "transposed" if self.transposed else "",
            f"{self.c_in}->{self.c_out} {_by(self.kernel_size)}",
            f"s{self.stride}" if self.stride != 1 else "",
            f"p{self.padding}" if self.padding != usual_padding else "",
            f"op{self.output_padding}" if self.output_padding else "",
            f"d{self.dilation}" if self.dilation != 1 else "",
            f"g{self.groups}" if self.groups != 1 else "",
            f"n{self.n}" if self.n != 1 else "",
            _by(self.input_size),
            self.dtype if self.dtype != "float32" else "",
            self.memory_format if self.memory_format != "contiguous" else "",
        ]
        return " ".join(filter(None, parts))


# The search for a limit asks for those of thousands of cases again and again.
@functools.lru_cache(maxsize=8192)
def _output_size(case: ConvCase) -> tuple[int, ...]:
    sides = zip(case.input_size, case.kernel_size, strict=True)
    return tuple(_output_side(case, side, kernel) for side, kernel in sides)


def _output_side(case: ConvCase, side: int, kernel: int) -> int:
    reach = case.dilation * (kernel - 1) + 1
    if case.transposed:
        return (side - 1) * case.stride - 2 * case.padding + reach + case.output_padding
    return (side + 2 * case.padding - reach) // case.stride + 1


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
