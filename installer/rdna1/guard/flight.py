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
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .layer import Layer
from .plan import CPU, MATMUL, NATIVE, SPLIT, Plan

_MAGIC = b"rdna1fl2"
# Magic, process.
_HEADER = struct.Struct("<8sQ")
# Seconds (CLOCK_MONOTONIC) of a call's end and beginning, of which 0 is none, its number, and that
# of its text.
_ENTRY = struct.Struct("<ddQQ")
_END = struct.Struct("<d")
# Number and length of a text that follows.
_TEXT = struct.Struct("<QH")
# What is written for each call is a few bytes: a step of a training runs the same layers as the one
# before, so a text is written once. Of texts there is room for more than entries can refer to.
_ENTRIES, _TEXTS, _TEXT_BYTES = 64, 4096, 512
_FIRST_TEXT = _HEADER.size + _ENTRIES * _ENTRY.size
_BYTES = _FIRST_TEXT + _TEXTS * _TEXT_BYTES


class Entry(NamedTuple):
    """A convolution or a gradient that a program began.

    Attributes:
        number: from 0, in the order of their beginnings.
        began: seconds of CLOCK_MONOTONIC.
        ended: likewise, when the call returned; a GPU may compute after that. None while it runs.
        layer: label with shapes and direction.
        dtype: of its elements.
        site: file and line of the caller, and the layer's name where it is known.
        plan: how it is computed.
        reason: what it exceeds of the envelope, empty if it is inside.
    """

    number: int
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
        entries: the last ones, in their order.
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
            self._memory = mmap.mmap(stream.fileno(), _BYTES)
        _HEADER.pack_into(self._memory, 0, _MAGIC, os.getpid())
        self._numbers, self._last = itertools.count(), 0
        self._texts, self.last_text = itertools.count(), 0
        self._wait = wait
        # A process that is forked from this one shares the memory.
        os.register_at_fork(after_in_child=functools.partial(_write_no_more, weakref.ref(self)))
        # New objects for each call would have Python collect garbage, and that takes 40 ms where
        # torch is imported.
        self.call_of = functools.lru_cache(maxsize=4096)(functools.partial(Call, self))

    def keep(self, text: bytes) -> int:
        """Write a `text_of` for `begin`, in place of the oldest; returns its number."""
        self.last_text = number = next(self._texts)
        place = _text_place(number)
        self._memory[place + _TEXT.size : place + _TEXT.size + len(text)] = text
        _TEXT.pack_into(self._memory, place, number, len(text))
        return number

    def begin(self, text: int) -> int:
        """Write that a call of a text begins; returns its number for `end`."""
        self._last = number = next(self._numbers)
        _ENTRY.pack_into(self._memory, _place(number), 0.0, time.monotonic(), number, text)
        return number

    def end(self, number: int) -> None:
        """Write that a call returned."""
        if self._wait:
            self._wait()
        # Others may have taken its place since.
        if self._last - number < _ENTRIES:
            _END.pack_into(self._memory, _place(number), time.monotonic())


def _write_no_more(reference: weakref.ref[Recorder]) -> None:
    """Give a recorder memory of its own."""
    recorder = reference()
    if recorder:
        recorder._memory = mmap.mmap(-1, _BYTES)


def _place(number: int) -> int:
    return _HEADER.size + number % _ENTRIES * _ENTRY.size


def _text_place(number: int) -> int:
    return _FIRST_TEXT + number % _TEXTS * _TEXT_BYTES


class Call:
    """Tells a recorder of a call that may run several times, also at once.

    Args:
        recorder: that is told.
        text: of `text_of`.
    """

    def __init__(self, recorder: Recorder, text: bytes) -> None:
        """Tell nothing yet."""
        self._recorder, self._text = recorder, text
        self._number = recorder.keep(text)
        self._running: list[int] = []
        # Looked up, each would be a new object.
        self.tell_begin, self.tell_end = self.begin, self.end

    def begin(self, *_: object) -> None:
        """Tell that it begins."""
        recorder = self._recorder
        # Newer texts may take its place before the last entry that refers to it is gone.
        if recorder.last_text - self._number >= _TEXTS - 2 * _ENTRIES:
            self._number = recorder.keep(self._text)
        self._running.append(recorder.begin(self._number))

    def end(self, *_: object) -> None:
        """Tell that it returned."""
        self._recorder.end(self._running.pop())

    __enter__, __exit__ = begin, end


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
    entries = (_entry(content, _place(number)) for number in range(_ENTRIES))
    return Log(process, tuple(sorted(each for each in entries if each)))


def _entry(content: bytes, place: int) -> Entry | None:
    """Return an entry; None where there is none, or where it is just being written."""
    ended, began, number, text_number = _ENTRY.unpack_from(content, place)
    start = _text_place(text_number)
    written, length = _TEXT.unpack_from(content, start)
    if not began or written != text_number:
        return None
    start += _TEXT.size
    try:
        fields = json.loads(content[start : start + length])
    except ValueError:
        return None
    return Entry(number, began, ended or None, *fields)


@functools.lru_cache(maxsize=4096)
def text_of(layer: Layer, plan: Plan, site: str) -> bytes:
    """Return what is written of a call.

    Args:
        layer: that is computed.
        plan: how.
        site: where the program called it.
    """
    room = _TEXT_BYTES - _TEXT.size
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
