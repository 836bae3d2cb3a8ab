"""Convolutions that run as they are, with a flight recorder that sees their gradients, too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .envelope import Envelope
from .layer import Layer
from .plan import NATIVE, Plan
from .setting import Guard

# Before torch 2.0 nothing can be told of a gradient before it is computed.
CAN_RECORD = hasattr(getattr(torch.autograd.graph, "Node", None), "register_prehook")
_NODE = "ConvolutionBackward0"


def run(guard: Guard, layer: Layer, site: str, call: Callable[[], Tensor]) -> Tensor:
    """Call torch's own function.

    Args:
        guard: whose recorder is told, if it has one.
        layer: that is computed.
        site: where the program called it.
        call: the function with its arguments.
    """
    if guard.flight is None or min(layer.output_size) < 1:
        return call()
    with guard.flown(layer, _plan(layer, guard.envelope), site):
        result = call()
    node = _convolution(result.grad_fn)
    if node is not None:
        _record_gradient(guard, layer._replace(direction="backward"), site, node)
    return result


@functools.lru_cache(maxsize=4096)
def _plan(layer: Layer, envelope: Envelope) -> Plan:
    """Return what is told of a layer that runs as it is."""
    return Plan(NATIVE, reason=envelope.broken_limit(layer) or "")


def _record_gradient(guard: Guard, layer: Layer, site: str, node: Any) -> None:
    plan = _plan(layer, guard.envelope)
    flying: list[Any] = []

    def begin(*_: object) -> None:
        flying.append(guard.flown(layer, plan, site))
        flying[-1].__enter__()

    def end(*_: object) -> None:
        flying.pop().__exit__(None, None, None)

    node.register_prehook(begin)
    node.register_hook(end)


def _convolution(node: Any) -> Any:
    """Return the node that computes the gradients; views may follow it."""
    while node is not None and node.name() != _NODE:
        node = node.next_functions[0][0] if node.next_functions else None
    return node
