"""Which convolutions of a model leave an envelope, without weights, without a GPU."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .activate import entered
from .call_site import calling_module
from .envelope import Envelope
from .layer import FORWARD, INPUT_GRADIENT, Layer
from .plan import Plan, extra_bytes, make_plan, native_cost, predicted_overhead
from .setting import Guard

Shape = tuple[int, ...]

_LARGEST_POOL = 64
MEMORY_BYTES = 128 * 1024 * 1024


class AuditError(ValueError):
    """A model that cannot be made or run without weights; one line with the remedy."""


class Call(NamedTuple):
    """A convolution that a model calls, or a gradient of it that follows.

    Attributes:
        name: of the layer in the model, empty for a call of a function.
        layer: what is computed.
    """

    name: str
    layer: Layer


class Direction(NamedTuple):
    """A convolution, or a gradient of one.

    Attributes:
        layer: what is computed.
        plan: how the guard would compute it; its reason is what it exceeds.
        time: predicted one of one call, in elements moved.
        overhead: predicted time of the plan in that of one call.
        extra_bytes: what the plan takes in addition.
    """

    layer: Layer
    plan: Plan
    time: float
    overhead: float
    extra_bytes: int


class Convolution(NamedTuple):
    """A call of a convolution in a model.

    Attributes:
        name: of the layer in the model, empty for a call of a function.
        directions: the forward one first, then the gradients that training would compute.
    """

    name: str
    directions: tuple[Direction, ...]

    @property
    def is_inside(self) -> bool:
        """Whether all directions keep the envelope as they are."""
        return not any(each.plan.reason for each in self.directions)


def model_calls(
    factory: Callable[[], nn.Module],
    shapes: Sequence[Shape],
    dtype: torch.dtype = torch.float32,
) -> list[Call]:
    """Return all convolutions and gradients of training of a model, in the order of their calls.

    Args:
        factory: returns the model; nothing is computed, and no weights are needed.
        shapes: of the inputs.
        dtype: of inputs and parameters.

    Raises:
        AuditError: the model cannot be made or run so.
    """
    model = _on_meta(factory).to(dtype).eval()
    names = {module: name for name, module in model.named_modules()}
    seen: list[Call] = []

    def record(layer: Layer, _: Plan) -> None:
        module = calling_module()
        seen.append(Call("" if module is None else names.get(module, ""), layer))

    inputs = [torch.empty(shape, device="meta", dtype=dtype) for shape in shapes]
    with entered(Guard(Envelope(), record=record, observe=True)):
        _run(model, inputs)
    return seen


def audit(
    calls: Sequence[Call], envelope: Envelope, *, memory_bytes: int = MEMORY_BYTES
) -> list[Convolution]:
    """Return the convolutions of a model with the guard's plans.

    Args:
        calls: of all directions, as of `model_calls`.
        envelope: to keep.
        memory_bytes: what the tiles of a call and their results may take in addition.
    """
    found: list[Convolution] = []
    for name, layer in calls:
        direction = _direction(layer, envelope, memory_bytes)
        # Of a transposed convolution the program's own call is the input gradient.
        own = INPUT_GRADIENT if layer.transposed else FORWARD
        if layer.direction == own or not found:
            found.append(Convolution(name, (direction,)))
        else:
            found[-1] = found[-1]._replace(directions=(*found[-1].directions, direction))
    return found


def pooling_that_helps(
    calls: Callable[[Sequence[Shape]], list[Call]], shapes: Sequence[Shape], envelope: Envelope
) -> int | None:
    """Return by how much inputs have to be pooled for all to be inside; None if nothing helps.

    Args:
        calls: returns a model's convolutions for inputs of some shapes.
        shapes: of the inputs.
        envelope: to keep.
    """
    factor = 2
    while factor <= _LARGEST_POOL and all(min(shape[2:], default=0) >= factor for shape in shapes):
        pooled = [(*shape[:2], *(side // factor for side in shape[2:])) for shape in shapes]
        try:
            layers = audit(calls(pooled), envelope)
        except AuditError:
            # The maps became too small for the model, or it is for others alone.
            return None
        if all(each.is_inside for each in layers):
            return factor
        factor += 1
    return None


def _direction(layer: Layer, envelope: Envelope, memory_bytes: int) -> Direction:
    plan = make_plan(layer, envelope, memory_bytes)
    return Direction(
        layer,
        plan,
        native_cost(layer),
        predicted_overhead(layer, plan),
        extra_bytes(layer, plan),
    )


def _on_meta(factory: Callable[[], nn.Module]) -> nn.Module:
    try:
        with _offline():
            # Before torch 2.0 a device is not a context.
            if hasattr(torch.device("meta"), "__enter__"):
                with torch.device("meta"):
                    model: Any = factory()
            else:
                model = factory()
    except Exception as error:
        raise AuditError(
            f"the factory raised {type(error).__name__}: {error}. Remedy: a factory that "
            "returns the model without weights and without the network"
        ) from error
    if not isinstance(model, nn.Module):
        raise AuditError(
            f"the factory returned {type(model).__name__}. Remedy: return a torch.nn.Module"
        )
    return model.to("meta")


def _run(model: nn.Module, inputs: Sequence[Tensor]) -> None:
    try:
        with torch.enable_grad():
            model(*inputs)
    except Exception as error:
        shapes = ", ".join("x".join(map(str, each.shape)) for each in inputs)
        raise AuditError(
            f"the model raised {type(error).__name__} for {shapes}: {error}. Remedy: the shape of "
            "each input with --input; a model whose path depends on values cannot be audited"
        ) from error


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Refuse connections: what is downloaded is not needed."""
    connect = socket.socket.connect

    def refuse(*_: object) -> None:
        raise OSError("an audit does not use the network")

    socket.socket.connect = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
