"""Computes a convolution or a gradient of one, piece by piece, outside of autograd."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from .gather import Gather
from .layer import FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, Layer
from .plan import BYPASS, CPU, MATMUL, NATIVE, WHOLE, Plan
from .products import multiply
from .steps import Channels, Program, Step, program_of, sums_of
from .tiles import Copy, View

# torch would prepare each operation to be differentiated and mark each view as one, for which
# nobody asks here: a tenth of the processor time of a small layer.
_OUTSIDE_OF_AUTOGRAD = getattr(torch._C, "_AutoDispatchBelowADInplaceOrView", nullcontext)
_HALF = (torch.float16, torch.bfloat16)
# Integers as which neighbours are moved at once, by their bytes.
_INTEGERS = {4: torch.int32, 8: torch.int64}


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
    with _OUTSIDE_OF_AUTOGRAD():
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


def _map(layer: Layer, plan: Plan, source: Tensor, weight: Tensor) -> Tensor:
    """Compute an output or an input gradient."""
    order = _order(layer)
    source = _dense(source, order)
    if not layer.channels_last:
        # torch takes the order of either for both.
        weight = weight.contiguous()
    program = program_of(layer, plan)
    dtype = torch.float32 if program.is_summed and source.dtype in _HALF else source.dtype
    result = None
    waiting: list[tuple[Step, Tensor]] = []
    for step in program.steps:
        values = torch.convolution(
            _batch(source, step.gather, layer.channels_last),
            _weight_part(weight, step.channels),
            None,
            layer.stride,
            program.padding,
            layer.dilation,
            layer.direction == INPUT_GRADIENT,
            program.missing,
            step.channels.groups,
        ).contiguous(memory_format=order)
        waiting.append((step, values))
        # The next call needs as much again.
        del values
        if program.is_late and step is not program.steps[-1]:
            continue
        if result is None:
            # Not before the first call, whose batch and workspace would be there at the same time.
            result = _empty(source, program, dtype, order)
        while waiting:
            _place(result, *waiting.pop(), is_summed=program.is_summed)
    return (_empty(source, program, dtype, order) if result is None else result).to(source.dtype)


def _place(result: Tensor, step: Step, values: Tensor, *, is_summed: bool) -> None:
    """Bring what a call gave to its place."""
    for placement in step.placements:
        if step.add:
            _at(result, placement.target).add_(_at(values, placement.source))
        elif is_summed:
            _at(result, placement.target).copy_(_at(values, placement.source))
        else:
            _copy(placement, values, result)


def _weight_gradient(layer: Layer, plan: Plan, x: Tensor, grad: Tensor) -> Tensor:
    x, grad = _dense(x, _order(layer)), _dense(grad, _order(layer))
    shape = (layer.c_out, layer.c_in // layer.groups, *layer.kernel)
    dtype = torch.float32 if x.dtype in _HALF else x.dtype
    result = torch.zeros(shape, dtype=dtype, device=x.device)
    for step in sums_of(layer, plan):
        target = _weight_part(result, step.channels)
        target += torch.ops.aten.convolution_backward(
            _batch(grad, step.grads, layer.channels_last),
            _batch(x, step.inputs, layer.channels_last),
            x.new_empty(1).expand(target.shape),
            None,
            layer.stride,
            step.padding,
            layer.dilation,
            False,
            [0] * len(step.padding),
            step.channels.groups,
            [False, True, False],
        )[1]
    return result.to(x.dtype)


def _batch(source: Tensor, how: Gather, channels_last: bool) -> Tensor:
    batch = source.new_empty(how.batch)
    padded = source.new_zeros(how.padded) if how.padded else source
    for fill, windows in how.slices:
        if fill:
            _copy(fill, source, padded)
        _copy(windows, padded, batch)
    return batch.movedim(-1, 1) if channels_last else batch


def _copy(how: Copy, source: Tensor, target: Tensor) -> None:
    part, place = _at(source, how.source), _at(target, how.target)
    if how.width > part.element_size():
        wide = _INTEGERS[how.width]
        part, place = part.view(wide), place.view(wide)
    place.copy_(part)


def _empty(
    like: Tensor, program: Program, dtype: torch.dtype, order: torch.memory_format
) -> Tensor:
    return torch.empty(program.shape, dtype=dtype, device=like.device, memory_format=order)


def _at(tensor: Tensor, view: View) -> Tensor:
    return tensor.as_strided(view.size, view.stride, tensor.storage_offset() + view.offset)


def _dense(tensor: Tensor, order: torch.memory_format) -> Tensor:
    """Return a tensor without gaps in an order, whose first element may be moved with others."""
    tensor = tensor.contiguous(memory_format=order)
    return tensor.clone(memory_format=order) if tensor.storage_offset() % 4 else tensor


def _weight_part(weight: Tensor, channels: Channels) -> Tensor:
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
