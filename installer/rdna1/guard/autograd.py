"""Output, input gradient and weight gradient of a convolution, each the others' derivative.

So three functions are closed under differentiation: gradients of any order are computed from
pieces that the envelope allows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .compute import compute
from .geometry import Geometry, is_channels_last
from .layer import FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, Layer

_IS_WRAPPED = getattr(getattr(torch._C, "_functorch", None), "is_functorch_wrapped_tensor", None)


def _computed(first: Tensor, second: Tensor, geometry: Geometry, layer: Layer) -> Tensor:
    """Compute a layer as planned, outside of autograd."""
    guard = geometry.guard
    plan = guard.plan(layer, first.device)
    if guard.record:
        guard.record(layer, plan)
    if guard.flight is None:
        return compute(layer, plan, first, second)
    with guard.flight.call_of(layer, plan, geometry.site):
        return compute(layer, plan, first, second)


class _Function(torch.autograd.Function):
    """A product of two tensors that is linear in each."""

    @staticmethod
    def forward(first: Tensor, second: Tensor, geometry: Geometry, layer: Layer) -> Tensor:
        """Compute it as planned."""
        return _computed(first, second, geometry, layer)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        """Keep what the derivatives need."""
        first, second, ctx.geometry, _ = inputs
        ctx.save_for_backward(first, second)
        ctx.save_for_forward(first, second)


class _Output(_Function):
    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), geometry = ctx.saved_tensors, ctx.geometry
        by_input = input_gradient(grad, weight, geometry) if ctx.needs_input_grad[0] else None
        by_weight = weight_gradient(x, grad, geometry) if ctx.needs_input_grad[1] else None
        return by_input, by_weight, None, None

    @staticmethod
    def jvp(ctx: Any, x: Tensor | None, weight: Tensor | None, *_: None) -> Tensor | None:
        return _product_rule(ctx, output, x, weight)

    @staticmethod
    def vmap(
        info: Any, dims: tuple[Any, ...], x: Tensor, weight: Tensor, geometry: Geometry, _: Layer
    ) -> tuple[Tensor, int]:
        batch = info.batch_size
        if dims[1] is None:
            return _in_images(output, batch, dims[0], x, weight, geometry)
        x, weight = _leading(x, dims[0], batch), _leading(weight, dims[1], batch)
        wide = geometry._replace(groups=batch * geometry.groups)
        result = output(x.transpose(0, 1).flatten(1, 2), weight.flatten(0, 1), wide)
        return _split(result, 1, batch), 1


class _InputGradient(_Function):
    @staticmethod
    def backward(ctx: Any, again: Tensor) -> tuple[Tensor | None, ...]:
        (grad, weight), geometry = ctx.saved_tensors, ctx.geometry
        by_grad = output(again, weight, geometry) if ctx.needs_input_grad[0] else None
        by_weight = weight_gradient(again, grad, geometry) if ctx.needs_input_grad[1] else None
        return by_grad, by_weight, None, None

    @staticmethod
    def jvp(ctx: Any, grad: Tensor | None, weight: Tensor | None, *_: None) -> Tensor | None:
        return _product_rule(ctx, input_gradient, grad, weight)

    @staticmethod
    def vmap(
        info: Any, dims: tuple[Any, ...], grad: Tensor, weight: Tensor, geometry: Geometry, _: Layer
    ) -> tuple[Tensor, int]:
        batch = info.batch_size
        if dims[1] is None:
            return _in_images(input_gradient, batch, dims[0], grad, weight, geometry)
        grad, weight = _leading(grad, dims[0], batch), _leading(weight, dims[1], batch)
        wide = geometry._replace(groups=batch * geometry.groups)
        result = input_gradient(grad.transpose(0, 1).flatten(1, 2), weight.flatten(0, 1), wide)
        return _split(result, 1, batch), 1


class _WeightGradient(_Function):
    @staticmethod
    def backward(ctx: Any, again: Tensor) -> tuple[Tensor | None, ...]:
        (x, grad), geometry = ctx.saved_tensors, ctx.geometry
        by_input = input_gradient(grad, again, geometry) if ctx.needs_input_grad[0] else None
        by_grad = output(x, again, geometry) if ctx.needs_input_grad[1] else None
        return by_input, by_grad, None, None

    @staticmethod
    def jvp(ctx: Any, x: Tensor | None, grad: Tensor | None, *_: None) -> Tensor | None:
        return _product_rule(ctx, weight_gradient, x, grad)

    @staticmethod
    def vmap(
        info: Any, dims: tuple[Any, ...], x: Tensor, grad: Tensor, geometry: Geometry, _: Layer
    ) -> tuple[Tensor, int]:
        batch = info.batch_size
        x, grad = _leading(x, dims[0], batch), _leading(grad, dims[1], batch)
        wide = geometry._replace(groups=batch * geometry.groups)
        result = weight_gradient(
            x.transpose(0, 1).flatten(1, 2), grad.transpose(0, 1).flatten(1, 2), wide
        )
        return _split(result, 0, batch), 0


def output(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """Compute the output of a convolution; differentiable.

    Args:
        x: of shape (images, input channels, *sizes).
        weight: of shape (output channels, input channels of a group, *sizes).
        geometry: of the convolution.
    """
    layer = _layer(geometry, FORWARD, x, x.shape[1], weight.shape[0])
    return apply(layer, x, weight, geometry)


def input_gradient(grad: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """Compute the input gradient of a convolution; differentiable.

    Args:
        grad: of the output, of its shape.
        weight: of shape (output channels, input channels of a group, *sizes).
        geometry: of the convolution.
    """
    c_in = weight.shape[1] * geometry.groups
    layer = _layer(geometry, INPUT_GRADIENT, grad, c_in, grad.shape[1])
    return apply(layer, grad, weight, geometry)


def weight_gradient(x: Tensor, grad: Tensor, geometry: Geometry) -> Tensor:
    """Compute the weight gradient of a convolution; differentiable.

    Args:
        x: of shape (images, input channels, *sizes).
        grad: of the output, of its shape.
        geometry: of the convolution.
    """
    layer = _layer(geometry, WEIGHT_GRADIENT, x, x.shape[1], grad.shape[1])
    return apply(layer, x, grad, geometry)


def _layer(geometry: Geometry, direction: str, like: Tensor, c_in: int, c_out: int) -> Layer:
    """Return the layer of a direction, with the images, element type and order of a tensor."""
    order = is_channels_last(like, len(geometry.size))
    return geometry.layer(direction, like.shape[0], c_in, c_out, like.dtype, channels_last=order)


def apply(layer: Layer, first: Tensor, second: Tensor, geometry: Geometry) -> Tensor:
    """Compute a layer in its direction; differentiable.

    Args:
        layer: of the geometry and the tensors.
        first: the input; for an input gradient the output's gradient.
        second: the weight; for a weight gradient the output's gradient.
        geometry: of the convolution.
    """
    # To register a function takes longer than a small layer.
    if not _is_differentiated(first, second):
        return _computed(first, second, geometry, layer)
    result: Tensor = _FUNCTIONS[layer.direction].apply(first, second, geometry, layer)  # type: ignore[no-untyped-call]
    return result


def _is_differentiated(first: Tensor, second: Tensor) -> bool:
    """Tell whether anything may ask for a derivative: autograd, forward mode or torch.func."""
    if torch.is_grad_enabled() and (first.requires_grad or second.requires_grad):
        return True
    return forward_ad._current_level >= 0 or is_transformed(first, second)


def is_transformed(first: Tensor, second: Tensor) -> bool:
    """Tell whether torch.func wraps a tensor, whose real size is not seen then."""
    return _IS_WRAPPED is not None and (_IS_WRAPPED(first) or _IS_WRAPPED(second))


def _product_rule(
    ctx: Any,
    product: Callable[[Tensor, Tensor, Geometry], Tensor],
    first: Tensor | None,
    second: Tensor | None,
) -> Tensor | None:
    """Return the tangent of a product from those of its factors, None being zero."""
    factors, geometry = ctx.saved_tensors, ctx.geometry
    terms = [] if first is None else [product(first, factors[1], geometry)]
    terms += [] if second is None else [product(factors[0], second, geometry)]
    return sum(terms[1:], terms[0]) if terms else None


def _in_images(
    product: Callable[[Tensor, Tensor, Geometry], Tensor],
    batch: int,
    dim: int,
    first: Tensor,
    weight: Tensor,
    geometry: Geometry,
) -> tuple[Tensor, int]:
    """Compute many products with one weight as one of as many images."""
    images = first.movedim(dim, 0).flatten(0, 1)
    return _split(product(images, weight, geometry), 0, batch), 0


def _split(tensor: Tensor, dim: int, batch: int) -> Tensor:
    """Return a tensor one of whose dimensions is two, the mapped one first."""
    return tensor.view(*tensor.shape[:dim], batch, -1, *tensor.shape[dim + 1 :])


def _leading(tensor: Tensor, dim: int | None, batch: int) -> Tensor:
    """Return a tensor whose first dimension is the mapped one, repeated if it has none."""
    return tensor.expand(batch, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _with_context(function: type[_Function]) -> None:
    """Give a function the one ``forward`` that torch before 2.0 knows, which takes the context."""
    forward, keep = function.forward, function.setup_context

    def forward_with_context(ctx: Any, *inputs: Any) -> Tensor:
        result = forward(*inputs)
        keep(ctx, inputs, result)
        return result

    function.forward = staticmethod(forward_with_context)  # type: ignore[assignment]


_FUNCTIONS = {
    FORWARD: _Output,
    INPUT_GRADIENT: _InputGradient,
    WEIGHT_GRADIENT: _WeightGradient,
}

if not hasattr(torch.autograd.Function, "setup_context"):
    for _function in _FUNCTIONS.values():
        _with_context(_function)
