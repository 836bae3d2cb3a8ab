"""What the guard did in this process."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from .layer import Layer
from .plan import CPU, NATIVE, Plan


@dataclass
class Status:
    """How often convolutions and their gradients were computed, and how.

    Attributes:
        calls: all.
        native: in one call of the backend, as the program asked.
        split: from pieces.
        tiles: of those.
        fallbacks: label of a layer (`Layer.label`) to how often the CPU computed it.
    """

    calls: int = 0
    native: int = 0
    split: int = 0
    tiles: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Return one line for readers."""
        on_cpu = sum(self.fallbacks.values())
        return (
            f"{self.calls} convolutions and gradients: {self.native} as they are, "
            f"{self.split} from {self.tiles} tiles, {on_cpu} on the CPU"
        )


class _Recorder:
    """Counts for the process; convolutions run in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status = Status()

    def add(self, layer: Layer, plan: Plan) -> None:
        with self._lock:
            status = self._status
            status.calls += 1
            if plan.kind == NATIVE:
                status.native += 1
            elif plan.kind == CPU:
                status.fallbacks[layer.label] += 1
            else:
                status.split += 1
                status.tiles += plan.tiles

    def snapshot(self) -> Status:
        with self._lock:
            status = self._status
            return Status(
                status.calls, status.native, status.split, status.tiles, Counter(status.fallbacks)
            )


_RECORDER = _Recorder()
record = _RECORDER.add


def status() -> Status:
    """Return what was computed since the process began, and how."""
    return _RECORDER.snapshot()
