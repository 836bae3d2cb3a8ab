"""How convolutions are kept inside an envelope."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch

from .envelope import Envelope
from .flight import Recorder
from .layer import Layer
from .plan import NATIVE, Plan, make_plan

_MIB = 1024 * 1024
# What fits the caches of a processor; of a card's memory a sixty-fourth, 128 MiB of 8 GiB.
_MEMORY_BYTES, _MOST_MEMORY_BYTES, _SHARE = 32 * _MIB, 128 * _MIB, 64
# As much as may always be taken: fewer calls are faster.
_LITTLE_BYTES = 64 * _MIB


@functools.lru_cache(maxsize=64)
def default_memory(device: torch.device) -> int:
    """Return what the tiles of a call may take on a device at most, in bytes."""
    if device.type != "cuda":
        return _MEMORY_BYTES
    total: int = torch.cuda.get_device_properties(device).total_memory
    return max(_MEMORY_BYTES, min(total // _SHARE, _MOST_MEMORY_BYTES))


@functools.lru_cache(maxsize=4096)
def _plan(layer: Layer, device: torch.device, envelope: Envelope, memory: int | None) -> Plan:
    if memory is None:
        # Half of what the layer itself takes, or little.
        memory = min(default_memory(device), max(_LITTLE_BYTES, layer.own_bytes // 2))
    return make_plan(layer, envelope, memory)


class Guard(NamedTuple):
    """How convolutions are kept inside an envelope.

    Attributes:
        envelope: that each call keeps.
        strict: raise `OutsideEnvelopeError` where nothing else is left; else the CPU computes it,
            with a `FallbackWarning`.
        memory_bytes: what the tiles of a call and their results may take in addition; by default
            half of what input and output take, at least 64 MiB, at most what suits the device, see
            `default_memory`.
        record: is told each layer and its plan.
        flight: is told when each begins and ends, gradients of all layers among them.
        observe: compute everything as the program asks, whatever the envelope says.
    """

    envelope: Envelope
    strict: bool = False
    memory_bytes: int | None = None
    record: Callable[[Layer, Plan], None] | None = None
    flight: Recorder | None = None
    observe: bool = False

    def plan(self, layer: Layer, device: torch.device) -> Plan:
        """Return how a layer is computed on a device."""
        if self.observe:
            return Plan(NATIVE, reason=self.envelope.broken_limit(layer) or "")
        return _plan(layer, device, self.envelope, self.memory_bytes)
