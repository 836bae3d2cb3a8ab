"""Which convolutions a sweep runs: every legal combination of lists of values."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from rdna1.conv.case import Dims, Direction, DType, MemoryFormat

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
AtLeastZero = Annotated[int, msgspec.Meta(ge=0)]

# Sizes of all axes, outermost first: 24x40; or a range with its last value, and a step: 8:64:8.
Sizes = Annotated[str, msgspec.Meta(pattern=r"^[1-9]\d*(x[1-9]\d*){1,2}$|^\d+:\d+(:[1-9]\d*)?$")]
Channels = Annotated[str, msgspec.Meta(pattern=r"^[1-9]\d*->[1-9]\d*$")]


class Grid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values of each attribute; a sweep runs every legal combination of them.

    Attributes:
        channels: input and output channels, as in ``16->32``.
        side: of the input in pixels, the same on all axes; or all axes, as in ``24x40``.
        kernel: its side, or all axes, likewise.
        dims: number of spatial dimensions.
        n: batch size.
        stride: step of the kernel.
        padding: zeros on every side; ``same`` keeps the side at stride 1 and an odd kernel.
        dilation: distance between kernel elements.
        groups: number of channel groups; ``depthwise`` is one for each input channel.
        dtype: element type.
        direction: what is computed.
        transposed: whether the convolution is a transposed one.
        output_padding: rows added on one side of a transposed convolution's output.
        memory_format: order of the elements.
    """

    channels: list[Channels] = msgspec.field(default_factory=lambda: ["16->32"])
    side: list[AtLeastOne | Sizes] = msgspec.field(default_factory=lambda: ["8:64:8"])
    kernel: list[AtLeastOne | Sizes] = msgspec.field(default_factory=lambda: [3])
    dims: list[Dims] = msgspec.field(default_factory=lambda: [2])
    n: list[AtLeastOne] = msgspec.field(default_factory=lambda: [1])
    stride: list[AtLeastOne] = msgspec.field(default_factory=lambda: [1])
    padding: list[AtLeastZero | Literal["same"]] = msgspec.field(default_factory=lambda: ["same"])
    dilation: list[AtLeastOne] = msgspec.field(default_factory=lambda: [1])
    groups: list[AtLeastOne | Literal["depthwise"]] = msgspec.field(default_factory=lambda: [1])
    dtype: list[DType] = msgspec.field(default_factory=lambda: ["float32"])
    direction: list[Direction] = msgspec.field(default_factory=lambda: ["forward"])
    transposed: list[bool] = msgspec.field(default_factory=lambda: [False])
    output_padding: list[AtLeastZero] = msgspec.field(default_factory=lambda: [0])
    memory_format: list[MemoryFormat] = msgspec.field(default_factory=lambda: ["contiguous"])
