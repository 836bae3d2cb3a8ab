"""Computes a convolution or a gradient of one, piece by piece, outside of autograd."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .axis import gradient_windows
from .layer import FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, Layer
from .plan import BYPASS, CPU, MATMUL, NATIVE, WHOLE, Plan, backend_layer, result_axes
from .products import multiply
from .tiles import Block, Gather, Placement, View, blocks, gather, placements

_HALF = (torch.float16, torch.bfloat16)


def compute(layer: Layer, plan: Plan, first: Tensor, second: Tensor) -> Tensor:
    """Compute one direction of a convolution as planned.

    Args:
        layer: what is computed.
        plan: of `plan.make_plan`.
        first: the input; for an input gradient the output's gradient.
        second: the weight; for a weight gradient the output's gradient.

    Returns:
        The output, the input's gradient or the weight's gradient.
    """
    if plan.kind == CPU:
        there = first.device
        return _whole(layer, first.cpu(), second.cpu()).to(there)
    if plan.kind == NATIVE:
        return _whole(layer, first, second)
    if plan.route == MATMUL:
        return multiply(layer, plan.pixels, first, second)
    if plan.route == BYPASS:
        # What is set here counts for MIOpen, too; calls that autograd makes run one at a time.
        with torch.backends.cudnn.flags(enabled=False):
            return _by_plan(layer, plan, first, second)
    return _by_plan(layer, plan, first, second)


def _by_plan(layer: Layer, plan: Plan, first: Tensor, second: Tensor) -> Tensor:
    if plan.kind == WHOLE:
        return _whole(layer, first, second)
    if plan.contiguous:
        layer = layer._replace(channels_last=False)
    if layer.direction == WEIGHT_GRADIENT:
        return _weight_gradient(layer, plan, first, second)
    return _map(layer, plan, first, second)


class _Channels(NamedTuple):
    """Channels of one pass over the tiles: each the first and their number.

    Attributes:
        inputs: of the input.
        outputs: of the output.
        of_group: input channels as the weight counts them, from the start of a group.
        groups: their number.
    """

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    of_group: tuple[int, int]
    groups: int


class _Step(NamedTuple):
    """One call of the backend for an output or an input gradient.

    Attributes:
        channels: that take part.
        gather: how the source's windows become a batch.
        placements: where the values go.
        add: whether they are added to what is there.
    """

    channels: _Channels
    gather: Gather
    placements: tuple[Placement, ...]
    add: bool


class _Program(NamedTuple):
    """All calls of the backend for an output or an input gradient.

    Attributes:
        steps: the calls in their order.
        shape: of the result.
        is_summed: whether several calls add up to a value.
        missing: pixels after those that products reach, where the stride exceeds the kernel.
    """

    steps: tuple[_Step, ...]
    shape: tuple[int, ...]
    is_summed: bool
    missing: tuple[int, ...]


class _Sum(NamedTuple):
    """One call of the backend for a weight gradient."""

    channels: _Channels
    inputs: Gather
    grads: Gather


def _map(layer: Layer, plan: Plan, source: Tensor, weight: Tensor) -> Tensor:
    """Compute an output or an input gradient."""
    is_gradient = layer.direction == INPUT_GRADIENT
    order = _order(layer)
    source = source.contiguous(memory_format=order)
    if not layer.channels_last:
        # torch takes the order of either for both.
        weight = weight.contiguous()
    program = _program(layer, plan)
    dtype = torch.float32 if program.is_summed and source.dtype in _HALF else source.dtype
    empty = functools.partial(
        torch.empty, program.shape, dtype=dtype, device=source.device, memory_format=order
    )
    result = None
    zeros = (0,) * len(layer.kernel)
    for step in program.steps:
        values = torch.convolution(
            _batch(source, step.gather, layer.channels_last),
            _weight_part(weight, step.channels),
            None,
            layer.stride,
            zeros,
            layer.dilation,
            is_gradient,
            program.missing,
            step.channels.groups,
        ).contiguous(memory_format=order)
        # Not before the first call, whose batch and workspace would be there at the same time.
        result = empty() if result is None else result
        for placement in step.placements:
            target = _view(result, placement.result)
            if step.add:
                target.add_(_view(values, placement.values))
            else:
                target.copy_(_view(values, placement.values))
        # The next call needs as much again.
        del values
    return (empty() if result is None else result).to(source.dtype)


def _weight_gradient(layer: Layer, plan: Plan, x: Tensor, grad: Tensor) -> Tensor:
    order = _order(layer)
    x, grad = x.contiguous(memory_format=order), grad.contiguous(memory_format=order)
    shape = (layer.c_out, layer.c_in // layer.groups, *layer.kernel)
    dtype = torch.float32 if x.dtype in _HALF else x.dtype
    result = torch.zeros(shape, dtype=dtype, device=x.device)
    zeros = [0] * len(layer.kernel)
    for step in _sums(layer, plan):
        target = _weight_part(result, step.channels)
        target += torch.ops.aten.convolution_backward(
            _batch(grad, step.grads, layer.channels_last),
            _batch(x, step.inputs, layer.channels_last),
            x.new_empty(1).expand(target.shape),
            None,
            layer.stride,
            zeros,
            layer.dilation,
            False,
            zeros,
            step.channels.groups,
            [False, True, False],
        )[1]
    return result.to(x.dtype)


@functools.lru_cache(maxsize=1024)
def _program(layer: Layer, plan: Plan) -> _Program:
    """Return the calls that compute an output or an input gradient."""
    is_gradient = layer.direction == INPUT_GRADIENT
    axes = result_axes(layer, plan.tile)
    of_input = (layer.n, layer.c_in, *layer.size)
    of_output = (layer.n, layer.c_out, *layer.output_size)
    source, result = (of_output, of_input) if is_gradient else (of_input, of_output)
    called = backend_layer(layer, plan, axes, 1)
    returned = called.size if is_gradient else called.output_size
    of_group = source[1] // layer.groups
    steps = []
    for channels in _channels(layer, plan):
        read, written = channels.inputs, channels.outputs
        if is_gradient:
            read, written = written, read
        add = read[0] % of_group > 0
        for block in blocks(layer.n, axes, plan.per_call):
            read_how = gather(source, read, axes, block, channels_last=layer.channels_last)
            placed = placements(
                (read_how.batch[0], written[1], *returned),
                result,
                written[0],
                axes,
                block,
                channels_last=layer.channels_last,
            )
            steps.append(_Step(channels, read_how, placed, add))
    is_summed = (plan.c_out if is_gradient else plan.c_in) < of_group
    missing = [
        max(0, axis.crop + axis.tile - (axis.window - 1) * stride - reach) if is_gradient else 0
        for axis, stride, reach in zip(axes, layer.stride, layer.reach, strict=True)
    ]
    return _Program(tuple(steps), result, is_summed, tuple(missing))


@functools.lru_cache(maxsize=1024)
def _sums(layer: Layer, plan: Plan) -> tuple[_Sum, ...]:
    """Return the calls whose results sum up to a weight gradient."""
    axes = result_axes(layer, plan.tile)
    windows = tuple(map(gradient_windows, axes))
    of_input = (layer.n, layer.c_in, *layer.size)
    of_output = (layer.n, layer.c_out, *layer.output_size)

    def call(channels: _Channels, block: Block) -> _Sum:
        return _Sum(
            channels,
            gather(of_input, channels.inputs, axes, block, channels_last=layer.channels_last),
            gather(of_output, channels.outputs, windows, block, channels_last=layer.channels_last),
        )

    return tuple(
        call(channels, block)
        for channels in _channels(layer, plan)
        for block in blocks(layer.n, axes, plan.per_call)
    )


def _channels(layer: Layer, plan: Plan) -> Iterator[_Channels]:
    c_in, c_out = layer.c_in // layer.groups, layer.c_out // layer.groups
    for group in range(0, layer.groups, plan.groups):
        groups = min(plan.groups, layer.groups - group)
        for i in range(0, c_in, plan.c_in):
            inputs = min(plan.c_in, c_in - i)
            for o in range(0, c_out, plan.c_out):
                outputs = min(plan.c_out, c_out - o)
                yield _Channels(
                    (group * c_in + i, groups * inputs),
                    (group * c_out + o, groups * outputs),
                    (i, inputs),
                    groups,
                )


def _batch(source: Tensor, how: Gather, channels_last: bool) -> Tensor:
    if how.padding:
        source = torch.constant_pad_nd(_view(source, how.inside), how.padding)
    batch = _view(source, how.windows).clone(memory_format=torch.contiguous_format)
    batch = batch.view(how.batch)
    return batch.movedim(-1, 1) if channels_last else batch


def _view(tensor: Tensor, view: View) -> Tensor:
    return tensor.as_strided(view.size, view.stride, tensor.storage_offset() + view.offset)


def _weight_part(weight: Tensor, channels: _Channels) -> Tensor:
    if channels.outputs[1] == weight.shape[0] and channels.of_group[1] == weight.shape[1]:
        return weight
    return weight.narrow(0, *channels.outputs).narrow(1, *channels.of_group)


def _whole(layer: Layer, first: Tensor, second: Tensor) -> Tensor:
    """Compute in one call."""
    settings = (None, list(layer.stride), list(layer.padding), list(layer.dilation))
    zeros = [0] * len(layer.kernel)
    result: Tensor
    if layer.direction == WEIGHT_GRADIENT:
        shape = (layer.c_out, layer.c_in // layer.groups, *layer.kernel)
        weight, mask = first.new_empty(1).expand(shape), [False, True, False]
        result = torch.ops.aten.convolution_backward(
            second, first, weight, *settings, False, zeros, layer.groups, mask
        )[1]
        return result
    if layer.direction == FORWARD:
        result = torch.convolution(first, second, *settings, False, zeros, layer.groups)
        return result
    sides = zip(
        layer.size, layer.output_size, layer.stride, layer.padding, layer.reach, strict=True
    )
    missing = [size - (out - 1) * step + 2 * pad - reach for size, out, step, pad, reach in sides]
    result = torch.convolution(first, second, *settings, True, missing, layer.groups)
    return result


def _order(layer: Layer) -> torch.memory_format:
    if not layer.channels_last:
        return torch.contiguous_format
    return torch.channels_last if len(layer.size) == 2 else torch.channels_last_3d
