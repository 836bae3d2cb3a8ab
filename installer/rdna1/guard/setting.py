"""How convolutions are kept inside an envelope."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
def _memory_of(layer: Layer, most: int) -> int:
    """Return what the tiles of a call may take: half of what the layer itself takes, or little."""
    return min(most, max(_LITTLE_BYTES, layer.own_bytes // 2))


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
        wait: is called before `flight` is told of an end, for a device to be done.
    """

    envelope: Envelope
    strict: bool = False
    memory_bytes: int | None = None
    record: Callable[[Layer, Plan], None] | None = None
    flight: Recorder | None = None
    observe: bool = False
    wait: Callable[[], None] | None = None

    def plan(self, layer: Layer, device: torch.device) -> Plan:
        """Return how a layer is computed on a device."""
        if self.observe:
            return Plan(NATIVE, reason=self.envelope.broken_limit(layer) or "")
        memory = self.memory_bytes
        if memory is None:
            memory = _memory_of(layer, default_memory(device))
        return make_plan(layer, self.envelope, memory)

    def flown(self, layer: Layer, plan: Plan, site: str) -> AbstractContextManager[object]:
        """Return a context that tells the flight recorder of a call, if there is one."""
        return _Flown(self, layer, plan, site) if self.flight else _NOTHING


class _Flown:
    def __init__(self, guard: Guard, layer: Layer, plan: Plan, site: str) -> None:
        self._guard, self._call = guard, (layer, plan, site)

    def __enter__(self) -> None:
        flight = self._guard.flight
        self._number = flight.begin(*self._call) if flight else 0

    def __exit__(self, *_: object) -> None:
        if self._guard.wait:
            self._guard.wait()
        if self._guard.flight:
            self._guard.flight.end(self._number)


_NOTHING = nullcontext()
