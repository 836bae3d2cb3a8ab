"""Convolutions that run as they are, with a flight recorder that sees their gradients, too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .call_site import caller
from .envelope import Envelope
from .flight import Call, Recorder
from .layer import Layer
from .plan import NATIVE, Plan

# Before torch 2.0 nothing can be told of a gradient before it is computed.
CAN_RECORD = hasattr(getattr(torch.autograd.graph, "Node", None), "register_prehook")
_NODE = "ConvolutionBackward0"


def recorded(
    flight: Recorder, envelope: Envelope, layer: Layer, call: Callable[[], Tensor]
) -> Tensor:
    """Call torch's own function, and tell a recorder of it and of its gradient.

    Args:
        flight: that is told.
        envelope: what a layer may exceed.
        layer: that is computed.
        call: the function with its arguments.
    """
    told = _told(flight, envelope, layer, caller())
    if told is None:
        return call()
    forward, gradient = told
    with forward:
        result = call()
    node = _convolution(result.grad_fn)
    if node is not None:
        node.register_prehook(gradient.tell_begin)
        node.register_hook(gradient.tell_end)
    return result


@functools.lru_cache(maxsize=4096)
def _told(
    flight: Recorder, envelope: Envelope, layer: Layer, site: str
) -> tuple[Call, Call] | None:
    """Return what is told of a layer that runs as it is and of its gradient; None without output.

    One look into a cache: all of it is for each layer of each step.
    """
    if min(layer.output_size) < 1:
        return None
    gradient = layer._replace(direction="backward")
    plans = (Plan(NATIVE, reason=envelope.broken_limit(each) or "") for each in (layer, gradient))
    forward, backward = plans
    return (
        flight.call_of(layer, forward, site),
        flight.call_of(gradient, backward, site),
    )


def _convolution(node: Any) -> Any:
    """Return the node that computes the gradients; views may follow it."""
    while node is not None and node.name() != _NODE:
        node = node.next_functions[0][0] if node.next_functions else None
    return node
