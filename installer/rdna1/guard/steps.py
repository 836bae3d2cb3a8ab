"""The calls of the backend that a plan comes to, without tensors; computed once for each plan."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from .axis import gradient_windows
from .gather import Gather, gather
from .layer import INPUT_GRADIENT, Layer
from .plan import Plan, backend_layer, result_axes
from .tiles import Block, Copy, blocks, placements

_TWO = 2


class Channels(NamedTuple):
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


class Step(NamedTuple):
    """One call of the backend for an output or an input gradient.

    Attributes:
        channels: that take part.
        gather: how the source's windows become a batch.
        placements: where the values go.
        add: whether they are added to what is there.
    """

    channels: Channels
    gather: Gather
    placements: tuple[Copy, ...]
    add: bool


class Program(NamedTuple):
    """All calls of the backend for an output or an input gradient.

    Attributes:
        steps: the calls in their order.
        shape: of the result.
        is_summed: whether several calls add up to a value.
        padding: zeros around each tile, by axis.
        missing: pixels after those that products reach, where the stride exceeds the kernel.
        is_late: whether the result is made after the last of two calls, what the first gave waiting
            for it: where that is less than what the last one's tiles take.
    """

    steps: tuple[Step, ...]
    shape: tuple[int, ...]
    is_summed: bool
    padding: tuple[int, ...]
    missing: tuple[int, ...]
    is_late: bool


class Sum(NamedTuple):
    """One call of the backend for a weight gradient.

    Attributes:
        channels: that take part.
        inputs: how the input's windows become a batch.
        grads: how those of the output's gradient do.
        padding: zeros around each tile of the input, by axis.
    """

    channels: Channels
    inputs: Gather
    grads: Gather
    padding: tuple[int, ...]


@functools.lru_cache(maxsize=1024)
def program_of(layer: Layer, plan: Plan) -> Program:
    """Return the calls that compute an output or an input gradient."""
    is_gradient = layer.direction == INPUT_GRADIENT
    axes = result_axes(layer, plan.tile)
    of_input = (layer.n, layer.c_in, *layer.size)
    of_output = (layer.n, layer.c_out, *layer.output_size)
    source, result = (of_output, of_input) if is_gradient else (of_input, of_output)
    called = backend_layer(layer, plan, axes, 1)
    returned = called.size if is_gradient else called.output_size
    of_group = source[1] // layer.groups
    memory: Any = {"channels_last": layer.channels_last, "itemsize": layer.itemsize}
    steps = []
    for channels in _channels(layer, plan):
        read, written = channels.inputs, channels.outputs
        if is_gradient:
            read, written = written, read
        add = read[0] % of_group > 0
        for block in blocks(layer.n, axes, plan.per_call, plan.first_call):
            read_how = gather(source, read, axes, block, **memory)
            values = (read_how.batch[0], written[1], *returned)
            placed = placements(values, result, written[0], axes, block, **memory)
            steps.append(Step(channels, read_how, placed, add))
    is_summed = (plan.c_out if is_gradient else plan.c_in) < of_group
    missing = [
        max(0, axis.crop + axis.tile - (axis.window - 1) * stride - reach + 2 * axis.padding)
        if is_gradient
        else 0
        for axis, stride, reach in zip(axes, layer.stride, layer.reach, strict=True)
    ]
    is_late = len(steps) == _TWO and not is_summed and math.prod(result) < _taken(steps[1].gather)
    return Program(tuple(steps), result, is_summed, called.padding, tuple(missing), is_late)


def _taken(how: Gather) -> int:
    """Return how many elements a batch and its padded copy take."""
    return how.padded + math.prod(how.batch)


@functools.lru_cache(maxsize=1024)
def sums_of(layer: Layer, plan: Plan) -> tuple[Sum, ...]:
    """Return the calls whose results sum up to a weight gradient."""
    axes = result_axes(layer, plan.tile)
    windows = tuple(map(gradient_windows, axes))
    of_input = (layer.n, layer.c_in, *layer.size)
    of_output = (layer.n, layer.c_out, *layer.output_size)
    padding = tuple(axis.padding for axis in axes)
    memory: Any = {"channels_last": layer.channels_last, "itemsize": layer.itemsize}

    def call(channels: Channels, block: Block) -> Sum:
        return Sum(
            channels,
            gather(of_input, channels.inputs, axes, block, **memory),
            gather(of_output, channels.outputs, windows, block, **memory),
            padding,
        )

    return tuple(
        call(channels, block)
        for channels in _channels(layer, plan)
        for block in blocks(layer.n, axes, plan.per_call)
    )


def _channels(layer: Layer, plan: Plan) -> Iterator[Channels]:
    c_in, c_out = layer.c_in // layer.groups, layer.c_out // layer.groups
    for group in range(0, layer.groups, plan.groups):
        groups = min(plan.groups, layer.groups - group)
        for i in range(0, c_in, plan.c_in):
            inputs = min(plan.c_in, c_in - i)
            for o in range(0, c_out, plan.c_out):
                outputs = min(plan.c_out, c_out - o)
                yield Channels(
                    (group * c_in + i, groups * inputs),
                    (group * c_out + o, groups * outputs),
                    (i, inputs),
                    groups,
                )
