"""The cheapest way to compute a convolution from pieces that an envelope allows."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from .axis import Axis, forward_axis, input_gradient_axis
from .envelope import Envelope, Pair
from .layer import INPUT_GRADIENT, WEIGHT_GRADIENT, Layer

NATIVE, WHOLE, SPLIT, CPU = "native", "whole", "split", "cpu"
# Routes: MIOpen or cuDNN as the program has set them, torch's own im2col, and matrix products.
BACKEND, BYPASS, MATMUL = "", "bypass", "matmul"

# Costs in elements moved: a call of the backend with its copies, and products for each.
_CALL = 60_000
_PRODUCTS = 30
# What is lost at the edges of a tile, where less than a row of memory is copied at once.
_TILE = 250


class Plan(NamedTuple):
    """How a layer is computed.

    Attributes:
        kind: ``native`` in one call as asked; ``whole`` in one by another route; ``split`` into
            pieces; ``cpu``: nothing else is allowed.
        tile: pixels of the result for each tile, by axis.
        per_call: tiles, of all images, for each call of the backend.
        groups: channel groups for each call.
        c_in: input channels of a group for each call.
        c_out: output channels of a group for each call.
        cost: in elements moved, to compare plans.
        reason: what the layer itself exceeds, empty for ``native``.
        route: what computes the pieces: empty for the backend as set, ``bypass`` or ``matmul``.
        contiguous: the pieces are in the usual memory order, whatever that of the layer.
        pixels: of each matrix product.
        first_call: tiles of the first of two calls, which takes more than the second: the result is
            not there yet. 0 where all calls take as many.
        tiles: number of the images' pieces; channels in chunks do not count.
    """

    kind: str
    tile: tuple[int, ...] = ()
    per_call: int = 0
    groups: int = 0
    c_in: int = 0
    c_out: int = 0
    cost: float = 0
    reason: str = ""
    route: str = BACKEND
    contiguous: bool = False
    pixels: int = 0
    first_call: int = 0
    tiles: int = 1


@functools.lru_cache(maxsize=4096)
def make_plan(layer: Layer, envelope: Envelope, memory_bytes: int) -> Plan:
    """Plan a layer.

    Args:
        layer: what the program asked for.
        envelope: what each call must keep.
        memory_bytes: what the tiles of a call and their results may take in addition.
    """
    reason = envelope.broken_limit(layer)
    if reason is None:
        return Plan(NATIVE)
    plans = [_split(layer, envelope, memory_bytes)]
    if layer.channels_last and plans[0] is None:
        usual = _split(layer._replace(channels_last=False), envelope, memory_bytes)
        plans.append(usual._replace(contiguous=True) if usual else None)
    if envelope.bypass:
        plans.append(_bypass(layer, Envelope(*envelope.bypass), memory_bytes))
    if envelope.matmul and set(layer.kernel) == {1}:
        plans.append(_matmul(layer, envelope.matmul))
    best = min((plan for plan in plans if plan), key=lambda plan: plan.cost, default=None)
    if best is None:
        return Plan(CPU, reason=reason)
    return best._replace(reason=reason, tiles=_count_tiles(layer, best))


def _split(layer: Layer, envelope: Envelope, memory_bytes: int) -> Plan | None:
    """Return the cheapest pieces that an envelope allows, or None."""
    best: Plan | None = None
    for groups, c_in, c_out in _channel_chunks(layer):
        chunk = Plan(SPLIT, (), 0, groups, c_in, c_out)
        if best is not None and best.cost <= _least_cost(layer, chunk):
            continue
        plans = (_fit(layer, envelope, memory_bytes, chunk, tile) for tile in _tiles(layer))
        best = min((plan for plan in (best, *plans) if plan), key=lambda p: p.cost, default=None)
    return best


def _bypass(layer: Layer, envelope: Envelope, memory_bytes: int) -> Plan | None:
    """Return the cheapest way with torch's own im2col, which writes and reads its workspace."""
    columns = 2 * layer.n * layer.workspace_bytes / layer.itemsize + layer.n * _CALL
    if envelope.allows(layer):
        return Plan(WHOLE, cost=_moved(layer) + columns, route=BYPASS)
    plan = _split(layer, envelope, memory_bytes)
    return plan and plan._replace(cost=plan.cost + columns, route=BYPASS)


def _matmul(layer: Layer, limits: Pair) -> Plan | None:
    """Return a 1x1 convolution as products of pixels; one has as many as a map of that side."""
    total = math.prod(layer.output_size)
    per_pixel = layer.c_in * layer.itemsize
    pixels = total if limits.max_side is None else min(total, limits.max_side**2)
    if limits.max_workspace_bytes is not None:
        pixels = min(pixels, limits.max_workspace_bytes // per_pixel)
    if pixels < 1:
        return None
    # Each product is copied to its place; with one there is nothing to copy.
    copies = 0 if pixels == total else layer.n * layer.c_out * total
    cost = _moved(layer) / 2 + copies + -(-total // pixels) * _CALL
    return Plan(SPLIT, cost=cost, route=MATMUL, pixels=pixels)


def predicted_overhead(layer: Layer, plan: Plan) -> float:
    """Return what a plan costs, in what one call without copies costs; 1 for that call itself."""
    if plan.kind == NATIVE:
        return 1.0
    if plan.kind == CPU:
        return math.inf
    return max(1.0, plan.cost / native_cost(layer))


def native_cost(layer: Layer) -> float:
    """Return what one call costs, in elements moved."""
    products = math.prod(layer.output_size) * layer.c_out * layer.c_in // layer.groups
    elements = layer.c_in * math.prod(layer.size) + layer.c_out * math.prod(layer.output_size)
    return layer.n * (elements + products * math.prod(layer.kernel) / _PRODUCTS) + _CALL


def extra_bytes(layer: Layer, plan: Plan) -> int:
    """Return what the pieces of a call and their results take, beyond the whole's own tensors."""
    if plan.kind in (NATIVE, CPU):
        return 0
    if plan.route == MATMUL:
        pixels = 0 if plan.pixels >= math.prod(layer.output_size) else plan.pixels
        return layer.n * layer.c_out * pixels * layer.itemsize
    if plan.kind == WHOLE:
        return layer.workspace_bytes
    axes = result_axes(layer, plan.tile)
    if not plan.first_call:
        return backend_layer(layer, plan, axes, plan.per_call).own_bytes
    tile = backend_layer(layer, plan, axes, 1).own_bytes
    second = layer.n * math.prod(axis.tiles for axis in axes) - plan.first_call
    return max(plan.first_call * tile - _source_and_result(layer)[1], second * tile)


def result_axes(layer: Layer, tile: tuple[int, ...]) -> tuple[Axis, ...]:
    """Return how each axis is cut for tiles of a size."""
    cut = input_gradient_axis if layer.direction == INPUT_GRADIENT else forward_axis
    return tuple(
        cut(size, output, kernel, stride, before, dilation, side)
        for size, output, kernel, stride, before, dilation, side in zip(
            layer.size,
            layer.output_size,
            layer.kernel,
            layer.stride,
            layer.padding,
            layer.dilation,
            tile,
            strict=True,
        )
    )


def backend_layer(layer: Layer, plan: Plan, axes: tuple[Axis, ...], images: int) -> Layer:
    """Return the layer that a call of the backend is, padded along axes that are not cut.

    Args:
        layer: the whole.
        plan: its pieces.
        axes: of `result_axes`.
        images: tiles in the call.
    """
    if layer.direction == INPUT_GRADIENT:
        size = tuple(
            max((axis.window - 1) * stride + reach - 2 * axis.padding, axis.crop + axis.tile)
            for axis, stride, reach in zip(axes, layer.stride, layer.reach, strict=True)
        )
    else:
        size = tuple(axis.window for axis in axes)
    return layer._replace(
        n=images,
        c_in=plan.c_in * plan.groups,
        c_out=plan.c_out * plan.groups,
        size=size,
        padding=tuple(axis.padding for axis in axes),
        groups=plan.groups,
    )


def _count_tiles(layer: Layer, plan: Plan) -> int:
    if plan.route == MATMUL:
        return -(-math.prod(layer.output_size) // plan.pixels)
    if plan.kind != SPLIT:
        return 1
    return layer.n * math.prod(axis.tiles for axis in result_axes(layer, plan.tile))


def _fit(
    layer: Layer, envelope: Envelope, memory_bytes: int, plan: Plan, tile: tuple[int, ...]
) -> Plan | None:
    """Return the plan with as many tiles a call as are allowed, or None if one is too many."""
    axes = result_axes(layer, tile)
    one = backend_layer(layer, plan, axes, 1)
    if not envelope.allows(one):
        return None
    tiles = layer.n * math.prod(axis.tiles for axis in axes)
    per_call = max(1, min(tiles, memory_bytes // one.own_bytes))
    while per_call > 1 and not envelope.allows(one._replace(n=per_call)):
        per_call //= 2
    first = _first_call(layer, plan, axes, one, per_call)
    if first and not envelope.allows(one._replace(n=first)):
        first = 0
    calls = 2 if first else -(-tiles // per_call)
    cost = _chunks(layer, plan) * (tiles * (_moved(one) + _TILE) + calls * _CALL)
    return plan._replace(tile=tile, per_call=per_call, cost=cost, first_call=first)


def _first_call(layer: Layer, plan: Plan, axes: tuple[Axis, ...], one: Layer, per_call: int) -> int:
    """Return how many tiles the first of two calls takes; 0 where two do not do.

    Args:
        layer: the whole.
        plan: its channels for each call.
        axes: how it is cut.
        one: a call with one tile.
        per_call: tiles that the memory bound allows next to source and result.
    """
    counts = (layer.n, *(axis.tiles for axis in axes))
    tiles = math.prod(counts)
    if tiles <= per_call or layer.direction == WEIGHT_GRADIENT or _chunks(layer, plan) > 1:
        return 0
    source, result = _source_and_result(layer)
    # What a tile takes: it and its values, or it and its part of a padded source.
    tile = max(one.own_bytes, _source_and_result(one)[0] + source // tiles)
    # With these both calls take as much, as the second one has the result next to it.
    best = tiles / 2 + result / (2 * tile)
    # Whole images alone, where two equal calls would do as well: parts of all images are slower.
    cut = counts if tiles > 2 * per_call else counts[:1]
    found = [tiles // count * part for count in cut for part in range(1, count)]
    # What a backend takes by itself grows with the tiles, so twice as many are the most.
    most = per_call + min(per_call, result // one.own_bytes)
    least = max(tiles - per_call, -(-tiles // 2))
    fitting = [number for number in found if least <= number <= most]
    return min(fitting, key=lambda number: abs(number - best), default=0)


def _source_and_result(layer: Layer) -> tuple[int, int]:
    """Return the bytes of what a direction reads and of what it gives, the weight apart."""
    given = layer.n * layer.c_out * math.prod(layer.output_size) * layer.itemsize
    read = layer.own_bytes - given
    return (given, read) if layer.direction == INPUT_GRADIENT else (read, given)


def _least_cost(layer: Layer, plan: Plan) -> float:
    """Return a cost that no tiles of these channels are below: those without overlap."""
    whole = layer._replace(
        c_in=plan.c_in * plan.groups, c_out=plan.c_out * plan.groups, groups=plan.groups
    )
    return _chunks(layer, plan) * (_moved(whole) + _CALL)


def _moved(layer: Layer) -> float:
    """Return what a call costs: copies of source and result, and the products."""
    elements = layer.c_in * math.prod(layer.size) + layer.c_out * math.prod(layer.output_size)
    products = math.prod(layer.output_size) * layer.c_out * layer.c_in // layer.groups
    return layer.n * (2 * elements + products * math.prod(layer.kernel) / _PRODUCTS)


def _chunks(layer: Layer, plan: Plan) -> int:
    """Return how often the tiles are gone through: once for each chunk of channels."""
    c_in, c_out = layer.c_in // layer.groups, layer.c_out // layer.groups
    return -(-layer.groups // plan.groups) * -(-c_in // plan.c_in) * -(-c_out // plan.c_out)


def _tiles(layer: Layer) -> Iterator[tuple[int, ...]]:
    """Yield sizes of tiles that differ in their number or in what is left over."""
    is_gradient = layer.direction == INPUT_GRADIENT
    sizes = layer.size if is_gradient else layer.output_size
    steps = layer.stride if is_gradient else (1,) * len(sizes)
    return itertools.product(*(_sides(size, step) for size, step in zip(sizes, steps, strict=True)))


def _sides(size: int, step: int) -> list[int]:
    """Return the smallest side for each number of tiles; a multiple of the step, or all."""
    sides = {-(-size // count) for count in range(1, size + 1)}
    return sorted({size, *(min(size, -(-side // step) * step) for side in sides)})


def _channel_chunks(layer: Layer) -> Iterator[tuple[int, int, int]]:
    """Yield groups a call, input and output channels of a group a call: fewer and fewer."""
    c_in, c_out = layer.c_in // layer.groups, layer.c_out // layer.groups
    for groups in _halves(layer.groups):
        yield groups, c_in, c_out
    for inputs, outputs in itertools.product(_halves(c_in), _halves(c_out)):
        if (inputs, outputs) != (c_in, c_out):
            yield 1, inputs, outputs


def _halves(number: int) -> Iterator[int]:
    while number > 1:
        yield number
        number = -(-number // 2)
    yield 1
