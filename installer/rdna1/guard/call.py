"""What a call of a convolution comes to under a guard, looked up for each step of a program."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch

from .geometry import Geometry, Sizes, legal_geometry
from .layer import FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, Layer
from .plan import CPU, NATIVE, Plan
from .setting import Guard


class Call(NamedTuple):
    """A call of ``torch.nn.functional``.

    Attributes:
        geometry: of the convolution.
        layer: that is called.
        runs: it, and the gradients of it that will run, each with its plan.
        on_cpu: those of them that the CPU alone may compute.
        is_native: whether all of them run as the program asks.
    """

    geometry: Geometry
    layer: Layer
    runs: tuple[tuple[Layer, Plan], ...]
    on_cpu: tuple[tuple[Layer, Plan], ...]
    is_native: bool


@functools.lru_cache(maxsize=4096)
def call_of(
    guard: Guard,
    dims: int,
    shape: tuple[int, ...],
    weight: tuple[int, ...],
    bias: tuple[int, ...] | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    output_padding: Sizes | None,
    dtype: torch.dtype,
    channels_last: bool,
    device: torch.device,
    by_input: bool,
    by_weight: bool,
) -> Call | None:
    """Return what a call comes to; cached, as it takes longer than a small layer.

    Args:
        guard: how it is kept inside an envelope.
        dims: spatial dimensions.
        shape: of the input.
        weight: its shape.
        bias: its shape, if there is one.
        stride: as the call has it, as are those that follow.
        padding: likewise.
        dilation: likewise.
        groups: likewise.
        output_padding: of a transposed convolution; None for a plain one.
        dtype: of the tensors.
        channels_last: whether the channels of the input vary fastest in memory.
        device: of the tensors.
        by_input: whether the input's gradient will run.
        by_weight: whether the weight's will.

    Returns:
        None for empty tensors and for what torch refuses, with words of its own.
    """
    sizes = shape, weight, bias, stride, padding, dilation, groups, output_padding
    geometry = legal_geometry(dims, *sizes)
    if geometry is None:
        return None
    n = shape[0] if len(shape) == dims + 2 else 1
    channels, direction = (shape[-dims - 1], weight[0]), FORWARD
    if geometry.transposed:
        channels, direction = (weight[1] * groups, shape[-dims - 1]), INPUT_GRADIENT
    layer = geometry.layer(direction, n, *channels, dtype, channels_last=channels_last)
    layers = directions_of(layer, by_input=by_input, by_weight=by_weight)
    runs = tuple((each, guard.plan(each, device)) for each in layers)
    return Call(
        geometry._replace(guard=guard),
        layer,
        runs,
        tuple(each for each in runs if each[1].kind == CPU),
        all(plan.kind == NATIVE for _, plan in runs),
    )


def directions_of(own: Layer, *, by_input: bool, by_weight: bool) -> tuple[Layer, ...]:
    """Return a layer, and the gradients of it that will run."""
    other = FORWARD if own.transposed else INPUT_GRADIENT
    gradients = (other, by_input), (WEIGHT_GRADIENT, by_weight)
    return (own, *(own._replace(direction=each) for each, is_run in gradients if is_run))
