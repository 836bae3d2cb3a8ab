"""What a call of a convolution is, from its sizes and settings alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .envelope import Envelope
from .layer import Layer
from .setting import Guard

Sizes = int | Sequence[int]


class Geometry(NamedTuple):
    """What a convolution is, apart from its tensors; that of the plain one, if transposed.

    Attributes:
        size: spatial sizes of the input.
        kernel: spatial sizes of the kernel.
        stride: by axis.
        padding: zeros before and after each axis, by axis.
        dilation: by axis.
        groups: of channels.
        transposed: whether the program called a transposed convolution.
        guard: how it is kept inside an envelope.
        site: where the program called it, for a flight recorder.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    transposed: bool
    guard: Guard = Guard(Envelope())
    site: str = ""

    def layer(
        self,
        direction: str,
        n: int,
        c_in: int,
        c_out: int,
        dtype: torch.dtype,
        *,
        channels_last: bool,
    ) -> Layer:
        """Return the layer of a direction."""
        return _layer(self[:7], direction, n, c_in, c_out, dtype, channels_last)


def legal_geometry(
    dims: int,
    shape: tuple[int, ...],
    weight: tuple[int, ...],
    bias: tuple[int, ...] | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    output_padding: Sizes | None,
) -> Geometry | None:
    """Return what a call of ``torch.nn.functional`` is.

    Args:
        dims: spatial dimensions.
        shape: of the input.
        weight: its shape.
        bias: its shape, if there is one.
        stride: as the call has it, as are those that follow.
        padding: likewise.
        dilation: likewise.
        groups: likewise.
        output_padding: of a transposed convolution; None for a plain one.

    Returns:
        None for empty tensors and for what torch refuses, with words of its own.
    """
    if len(weight) != dims + 2 or len(shape) not in (dims + 1, dims + 2) or groups < 1:
        return None
    if 0 in (*shape, *weight) or weight[0] % groups:
        return None
    is_transposed = output_padding is not None
    geometry = Geometry(
        tuple(shape[-dims:]),
        tuple(weight[2:]),
        _tuple(stride, dims),
        (0,) * dims if isinstance(padding, str) else _tuple(padding, dims),
        _tuple(dilation, dims),
        groups,
        is_transposed,
    )
    extra = _tuple(output_padding or 0, dims)
    if {dims} != set(map(len, (*geometry[2:5], extra))):
        return None
    if min(*geometry.stride, *geometry.dilation) < 1 or min(*geometry.padding, *extra) < 0:
        return None
    channels = [weight[1] * groups, weight[0]]
    c_in, c_out = reversed(channels) if is_transposed else channels
    if shape[-dims - 1] != c_in or bias not in (None, (c_out,)):
        return None
    if is_transposed:
        return None if isinstance(padding, str) else _of_result(geometry, extra)
    return _with_words(geometry, padding) if isinstance(padding, str) else _inside(geometry)


@functools.lru_cache(maxsize=4096)
def _layer(
    geometry: tuple[Any, ...],
    direction: str,
    n: int,
    c_in: int,
    c_out: int,
    dtype: torch.dtype,
    channels_last: bool,
) -> Layer:
    name, itemsize = str(dtype).rpartition(".")[2], torch.finfo(dtype).bits // 8
    fields = (direction, n, c_in, c_out, *geometry[:6], name, itemsize, channels_last, geometry[6])
    return Layer._make(fields)


def _of_result(geometry: Geometry, extra: tuple[int, ...]) -> Geometry | None:
    """Return a transposed convolution of its input's size as the plain one of its result's."""
    axes = list(zip(*geometry[:5], extra, strict=True))
    if any(e >= max(s, d) for _, _, s, _, d, e in axes):
        return None
    size = tuple((side - 1) * s - 2 * p + d * (k - 1) + 1 + e for side, k, s, p, d, e in axes)
    return geometry._replace(size=size) if min(size) > 0 else None


def _with_words(geometry: Geometry, padding: str) -> Geometry | None:
    """Return a convolution whose padding is a word."""
    if padding == "valid":
        return _inside(geometry)
    if padding != "same" or set(geometry.stride) != {1}:
        return None
    # torch pads the larger half after the input (aten/src/ATen/native/Convolution.cpp).
    total = [d * (k - 1) for k, d in zip(geometry.kernel, geometry.dilation, strict=True)]
    return geometry._replace(
        size=tuple(side + each % 2 for side, each in zip(geometry.size, total, strict=True)),
        padding=tuple(each // 2 for each in total),
    )


def _inside(geometry: Geometry) -> Geometry | None:
    """Return a convolution whose kernel fits into its padded input."""
    axes = zip(*geometry[:5], strict=True)
    return geometry if all(side + 2 * p > d * (k - 1) for side, k, _, p, d in axes) else None


def _tuple(sizes: Sizes, dims: int) -> tuple[int, ...]:
    if isinstance(sizes, int):
        return (sizes,) * dims
    values = tuple(sizes)
    return values * dims if len(values) == 1 else values


def is_channels_last(x: Tensor, dims: int) -> bool:
    """Tell whether the channels vary fastest in memory, also for an input without a batch."""
    if dims == 1 or x.is_contiguous():
        return False
    images = x if x.dim() == dims + 2 else x.unsqueeze(0)
    order = torch.channels_last if dims == 2 else torch.channels_last_3d
    return images.dim() == dims + 2 and images.is_contiguous(memory_format=order)
