"""1x1 convolutions as plain matrix products, a number of pixels at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from .layer import FORWARD, INPUT_GRADIENT, Layer

_HALF = (torch.float16, torch.bfloat16)


def multiply(layer: Layer, pixels: int, first: Tensor, second: Tensor) -> Tensor:
    """Compute one direction of a convolution whose kernel is one pixel.

    Args:
        layer: what is computed.
        pixels: of each product; the images do not count.
        first: the input; for an input gradient the output's gradient.
        second: the weight; for a weight gradient the output's gradient.

    Returns:
        The output, the input's gradient or the weight's gradient.
    """
    if layer.direction == FORWARD:
        weight = _by_group(second.flatten(1), layer)
        values = _map(weight, _columns(first, layer), pixels)
        return values.view(layer.n, layer.c_out, *layer.output_size)
    if layer.direction == INPUT_GRADIENT:
        weight = _by_group(second.flatten(1), layer).transpose(1, 2)
        values = _map(weight, _split_groups(first, layer), pixels)
        return _spread(values.view(layer.n, layer.c_in, *layer.output_size), layer)
    return _weight_gradient(layer, pixels, first, second)


def _map(weight: Tensor, source: Tensor, pixels: int) -> Tensor:
    """Multiply (groups, to, from) by (images, groups, from, pixels)."""
    total = source.shape[-1]
    if pixels >= total:
        return torch.matmul(weight, source)
    result = source.new_empty((*source.shape[:2], weight.shape[1], total))
    for first, count in _parts(total, pixels):
        result.narrow(-1, first, count).copy_(torch.matmul(weight, source.narrow(-1, first, count)))
    return result


def _weight_gradient(layer: Layer, pixels: int, x: Tensor, grad: Tensor) -> Tensor:
    columns, grads = _columns(x, layer), _split_groups(grad, layer)
    dtype = torch.float32 if x.dtype in _HALF else x.dtype
    c_in, c_out = layer.c_in // layer.groups, layer.c_out // layer.groups
    result = torch.zeros((layer.groups, c_out, c_in), dtype=dtype, device=x.device)
    for first, count in _parts(columns.shape[-1], pixels):
        part = columns.narrow(-1, first, count).transpose(-1, -2)
        result += torch.matmul(grads.narrow(-1, first, count), part).sum(0, dtype=dtype)
    return result.to(x.dtype).view(layer.c_out, c_in, *layer.kernel)


def _columns(x: Tensor, layer: Layer) -> Tensor:
    """Return the pixels that a kernel meets, as (images, groups, channels, pixels)."""
    if any(layer.padding):
        x = F.pad(x, [pad for side in reversed(layer.padding) for pad in (side, side)])
    return _split_groups(x[_steps(layer)], layer)


def _spread(values: Tensor, layer: Layer) -> Tensor:
    """Put values where their kernels met the input, zeros between."""
    if set(layer.stride) == {1} and not any(layer.padding):
        return values
    padded = [size + 2 * pad for size, pad in zip(layer.size, layer.padding, strict=True)]
    result = values.new_zeros((layer.n, layer.c_in, *padded))
    result[_steps(layer)] = values
    inside: Any = (
        slice(pad, pad + size) for size, pad in zip(layer.size, layer.padding, strict=True)
    )
    return result[(..., *inside)].contiguous()


def _steps(layer: Layer) -> tuple[Any, ...]:
    return (..., *(slice(None, None, step) for step in layer.stride))


def _by_group(weight: Tensor, layer: Layer) -> Tensor:
    return weight.view(layer.groups, -1, weight.shape[1])


def _split_groups(tensor: Tensor, layer: Layer) -> Tensor:
    pixels = math.prod(tensor.shape[2:])
    return tensor.reshape(layer.n, layer.groups, tensor.shape[1] // layer.groups, pixels)


def _parts(total: int, most: int) -> Iterator[tuple[int, int]]:
    for first in range(0, total, most):
        yield first, min(most, total - first)
