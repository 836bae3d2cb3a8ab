"""The flight recorder: the last convolutions of a program, in memory that outlives it.

The program writes into a file that it maps and shares with the process that watches it. What was
written is there whatever kills the program. No torch, for the watcher.
"""

from __future__ import annotations

import functools
import itertools
import json
import mmap
import os
import struct
import weakref
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from .layer import Layer
from .plan import CPU, MATMUL, NATIVE, SPLIT, Plan

_MAGIC = b"rdna1fl3"
# Magic, process.
_HEADER = struct.Struct("<8sQ")
# Of one call: seconds (CLOCK_MONOTONIC) of its last beginning and its last end, of which 0 is none,
# how many calls had begun by then, and the length of a text that follows. A step of a training runs
# the same layers as the one before: the text is written once, and then the numbers alone.
_ENTRY = struct.Struct("<dddH")
_ENTRIES, _ENTRY_BYTES = 4096, 512
_BYTES = _HEADER.size + _ENTRIES * _ENTRY_BYTES
_NUMBER_BYTES = 8
# Calls that are read. One that failed has no end, and is gone when as many others began.
_LAST = 64


class Entry(NamedTuple):
    """A convolution or a gradient that a program began, for the last time if several times.

    Attributes:
        began: seconds of CLOCK_MONOTONIC.
        ended: likewise, when the call returned; a GPU may compute after that. None while it runs.
        layer: label with shapes and direction.
        dtype: of its elements.
        site: file and line of the caller, and the layer's name where it is known.
        plan: how it is computed.
        reason: what it exceeds of the envelope, empty if it is inside.
    """

    began: float
    ended: float | None
    layer: str
    dtype: str
    site: str
    plan: str
    reason: str


class Log(NamedTuple):
    """What a recorder holds.

    Attributes:
        process: that wrote; 0 as long as none did.
        entries: the last ones, in the order of their beginnings.
    """

    process: int
    entries: tuple[Entry, ...]

    @property
    def running(self) -> list[Entry]:
        """Those that did not end."""
        return [entry for entry in self.entries if entry.ended is None]

    @property
    def last(self) -> float:
        """Seconds of CLOCK_MONOTONIC at which one began or ended; 0 before the first."""
        return max((entry.ended or entry.began for entry in self.entries), default=0.0)


class Recorder:
    """Writes what a process begins and ends."""

    def __init__(self, file: Path, wait: Callable[[], None] | None = None) -> None:
        """Map a file of `create`.

        Args:
            file: to write into.
            wait: is called before an end is written, for a device to be done.

        Raises:
            OSError: it cannot be opened.
            ValueError: it is not such a file.
        """
        with file.open("r+b") as stream:
            self._use(mmap.mmap(stream.fileno(), _BYTES))
        _HEADER.pack_into(self._memory, 0, _MAGIC, os.getpid())
        self.wait = wait
        self.begun = itertools.count(1)
        self._texts, self.newest = itertools.count(), 0
        # A process that is forked from this one shares the memory.
        os.register_at_fork(after_in_child=functools.partial(_write_no_more, weakref.ref(self)))
        # New objects for each call would have Python collect garbage, and that takes 40 ms where
        # torch is imported.
        self.call_of = functools.lru_cache(maxsize=_ENTRIES)(functools.partial(Call, self))

    def keep(self, text: bytes) -> int:
        """Write a `text_of` in place of the oldest; returns its number."""
        self.newest = number = next(self._texts)
        start = _place(number)
        # What is being written is no entry.
        _ENTRY.pack_into(self._memory, start, 0.0, 0.0, 0.0, len(text))
        start += _ENTRY.size
        self._memory[start : start + len(text)] = text
        return number

    def _use(self, memory: mmap.mmap) -> None:
        self._memory, self.numbers = memory, memoryview(memory).cast("d")


def _write_no_more(reference: weakref.ref[Recorder]) -> None:
    """Give a recorder memory of its own."""
    recorder = reference()
    if recorder:
        recorder._use(mmap.mmap(-1, _BYTES))


def _place(number: int) -> int:
    return _HEADER.size + number % _ENTRIES * _ENTRY_BYTES


class Call:
    """Tells a recorder of a call that may run several times.

    Where it runs several times at once, what counts is the last that began and the last that ended.

    Args:
        recorder: that is told.
        layer: that is computed.
        plan: how.
        site: where the program called it.
    """

    def __init__(self, recorder: Recorder, layer: Layer, plan: Plan, site: str) -> None:
        """Tell nothing yet."""
        self._recorder, self._text = recorder, text_of(layer, plan, site)
        self._keep()
        # Looked up, each would be a new object.
        self.tell_begin, self.tell_end = self.begin, self.end

    def begin(self, *_: object) -> None:
        """Tell that it begins."""
        recorder = self._recorder
        # Others may have taken its place since.
        if recorder.newest - self._number >= _ENTRIES:
            self._keep()
        numbers, began = recorder.numbers, self._began
        numbers[began] = monotonic()
        numbers[began + 2] = next(recorder.begun)

    def end(self, *_: object) -> None:
        """Tell that it returned."""
        recorder = self._recorder
        if recorder.wait:
            recorder.wait()
        if recorder.newest - self._number < _ENTRIES:
            recorder.numbers[self._began + 1] = monotonic()

    __enter__, __exit__ = begin, end

    def _keep(self) -> None:
        self._number = self._recorder.keep(self._text)
        self._began = _place(self._number) // _NUMBER_BYTES


def create(file: Path) -> None:
    """Make an empty recorder that its owner alone can read."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.truncate(_BYTES)


def read(file: Path) -> Log:
    """Read a recorder, also while a program writes.

    Raises:
        OSError: it cannot be read.
    """
    content = file.read_bytes()
    magic, process = _HEADER.unpack_from(content)
    if magic != _MAGIC:
        return Log(0, ())
    found = (
        (_ENTRY.unpack_from(content, place)[2], place) for place in map(_place, range(_ENTRIES))
    )
    calls = sorted(each for each in found if each[0])
    last = (place for number, place in calls if number > calls[-1][0] - _LAST)
    return Log(process, tuple(each for each in (_entry(content, place) for place in last) if each))


def _entry(content: bytes, place: int) -> Entry | None:
    """Return an entry; None where it is just being written."""
    began, ended, _, length = _ENTRY.unpack_from(content, place)
    start = place + _ENTRY.size
    try:
        fields = json.loads(content[start : start + length])
    except ValueError:
        return None
    return Entry(began, ended if ended >= began else None, *fields)


def text_of(layer: Layer, plan: Plan, site: str) -> bytes:
    """Return what is written of a call.

    Args:
        layer: that is computed.
        plan: how.
        site: where the program called it.
    """
    room = _ENTRY_BYTES - _ENTRY.size
    fields = [layer.label, layer.dtype, site, describe(plan), plan.reason]
    text = json.dumps(fields).encode()
    while len(text) > room:
        # The end of a path says more than its beginning.
        fields[2] = fields[2][len(text) - room + 1 :]
        text = json.dumps(fields).encode()
    return text


def describe(plan: Plan) -> str:
    """Return in words how a plan computes a layer."""
    if plan.kind == NATIVE:
        return "as it is"
    if plan.kind == CPU:
        return "on the CPU"
    if plan.route == MATMUL:
        return f"as {plan.tiles} matrix products of {plan.pixels} pixels"
    by = f" by {plan.route}" if plan.route else ""
    if plan.kind != SPLIT:
        return f"in one call{by}"
    return f"in {plan.tiles} tiles of {'x'.join(map(str, plan.tile))}{by}"
