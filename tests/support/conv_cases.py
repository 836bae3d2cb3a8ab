"""Small legal convolutions, drawn by hypothesis."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from rdna1.conv.case import DIRECTIONS, ConvCase, Dims, MemoryFormat

_DIMS: tuple[Dims, ...] = (1, 2, 3)
_FORMATS: tuple[MemoryFormat, ...] = ("contiguous", "channels_last")


@st.composite
def legal_cases(draw: st.DrawFn, *, transposed: bool | None = None) -> ConvCase:
    """Convolutions of every kind and direction, in float32.

    Args:
        draw: given by hypothesis.
        transposed: whether they are transposed ones, None for both.
    """

    def pick(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    dims = draw(st.sampled_from(_DIMS))
    backwards = draw(st.booleans()) if transposed is None else transposed
    stride, dilation, padding = pick(1, 3), pick(1, 3), pick(0, 2)
    output_padding = pick(0, max(stride, dilation) - 1) if backwards else 0
    kernel = [pick(1, 3) for _ in range(dims)]
    sizes = []
    for side in kernel:
        # What the padding takes away or leaves to be covered; see ConvCase.output_size.
        reach = dilation * (side - 1) + 1
        missing = 1 + 2 * padding - reach - output_padding
        least = 1 + math.ceil(max(missing, 0) / stride) if backwards else reach - 2 * padding
        sizes.append(pick(max(least, 1), max(least, 1) + 3))
    groups = pick(1, 3)
    per_group = 1 if draw(st.booleans()) else pick(1, 2)
    depth, h, w = (1, 1, *sizes)[-3:]
    kd, kh, kw = (1, 1, *kernel)[-3:]
    return ConvCase(
        c_in=groups * per_group,
        c_out=groups * pick(1, 2),
        h=h,
        w=w,
        kh=kh,
        kw=kw,
        n=pick(1, 2),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        direction=draw(st.sampled_from(DIRECTIONS)),
        dims=dims,
        depth=depth,
        kd=kd,
        transposed=backwards,
        output_padding=output_padding,
        memory_format="contiguous" if dims == 1 else draw(st.sampled_from(_FORMATS)),
    )
