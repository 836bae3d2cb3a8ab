"""Puts the guard between a program and torch's convolutions, without editing the program."""

from __future__ import annotations

import contextlib
import copy
import functools
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from . import present
from .convolution import FallbackWarning, OutsideEnvelopeError, convolve, convolve_transposed
from .envelope import Envelope, EnvelopeError, load
from .setting import Guard
from .status import record

_Module = TypeVar("_Module", bound=nn.Module)
_Function = Callable[..., Tensor]

# torch.nn.functional has the same functions under the same names.
_DIMS = {f"conv{dims}d": dims for dims in (1, 2, 3)}
_TRANSPOSED_DIMS = {f"conv_transpose{dims}d": dims for dims in (1, 2, 3)}


@contextlib.contextmanager
def active(
    envelope: Envelope | str | Path | None = None,
    *,
    strict: bool = False,
    memory_bytes: int | None = None,
) -> Iterator[Guard]:
    """Keep all convolutions that start inside the ``with`` block, and their gradients, inside.

    All threads are concerned. Of nested blocks the inner one counts.

    Args:
        envelope: or the path of its file; by default that of the user, else of the machine.
        strict: raise `OutsideEnvelopeError` where no pieces inside the envelope compute a layer,
            and where the envelope was measured on something else; otherwise warn, and let the CPU
            compute such a layer.
        memory_bytes: what the tiles of a call and their results may take in addition; by default
            what a layer's input and output take, at least 64 MiB, at most 32 MiB on a CPU, and a
            sixty-fourth of a card's memory up to 128 MiB.

    Raises:
        EnvelopeError: there is no envelope, or the file is not one.
        OutsideEnvelopeError: see ``strict``.
    """
    guard = Guard(found(envelope), strict, memory_bytes, record)
    with entered(guard):
        yield guard


def enter(guard: Guard) -> None:
    """Put a guard between the program and torch for good.

    Raises:
        OutsideEnvelopeError: it is strict, and its envelope was measured on something else.
    """
    _check_measured(guard)
    _INTERCEPTION.enter(guard)


@contextlib.contextmanager
def entered(guard: Guard) -> Iterator[None]:
    """Put a guard between the program and torch inside the ``with`` block.

    Raises:
        OutsideEnvelopeError: it is strict, and its envelope was measured on something else.
    """
    enter(guard)
    try:
        yield
    finally:
        _INTERCEPTION.leave(guard)


def wrap(
    model: _Module,
    envelope: Envelope | str | Path | None = None,
    *,
    strict: bool = False,
    memory_bytes: int | None = None,
) -> _Module:
    """Return a model that computes as this one does, with its convolutions kept inside.

    It shares parameters, buffers and children with the model, which is not modified.

    Args:
        model: to be guarded.
        envelope: as for `active`, as are the others.
        strict: as for `active`.
        memory_bytes: as for `active`.
    """
    settings = Guard(found(envelope), strict, memory_bytes, record)
    _check_measured(settings)
    kind = type(model)

    def forward(self: nn.Module, *inputs: Any, **named: Any) -> Any:
        _INTERCEPTION.enter(settings)
        try:
            return kind.forward(self, *inputs, **named)
        finally:
            _INTERCEPTION.leave(settings)

    guarded = copy.copy(model)
    guarded.__class__ = type(f"Guarded{kind.__name__}", (kind,), {"forward": forward})
    return guarded


def found(envelope: Envelope | str | Path | None) -> Envelope:
    """Return an envelope, that of a file, or that of this user or machine.

    Raises:
        EnvelopeError: there is none, or the file is not one.
    """
    if isinstance(envelope, Envelope):
        return envelope
    file = envelope or present.default_file()
    if file is None:
        raise EnvelopeError(
            f"there is no envelope: neither ~/{present.USER_FILE} nor {present.SYSTEM_FILE}. "
            f"Remedy: measure one with rdna1-validate boundary --envelope FILE, or name one"
        )
    return load(file)


def _check_measured(guard: Guard) -> None:
    """Say that an envelope is of something else, as the mode wants it."""
    differing = present.differences(guard.envelope)
    if not differing:
        return
    what = (
        f"{guard.envelope.source or 'the envelope'} does not hold here: {'; '.join(differing)}. "
        "Remedy: measure again with rdna1-validate boundary --envelope FILE"
    )
    if guard.strict:
        raise OutsideEnvelopeError(what)
    warnings.warn(what, FallbackWarning, stacklevel=6)


class _Interception:
    """Replaces torch's functions while any guard is active.

    Not a ``TorchFunctionMode``: that is for one thread, and it slows down every other operation.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guards: list[Guard] = []
        self._replaced: list[tuple[dict[str, Any], str, Any]] = []

    def enter(self, guard: Guard) -> None:
        with self._lock:
            self._guards.append(guard)
            if len(self._guards) == 1:
                self._replace()

    def leave(self, guard: Guard) -> None:
        with self._lock:
            # The last of several that are equal.
            position = len(self._guards) - 1 - self._guards[::-1].index(guard)
            del self._guards[position]
            if not self._guards:
                while self._replaced:
                    names, name, function = self._replaced.pop()
                    names[name] = function

    def _replace(self) -> None:
        """Replace the functions wherever a module holds them, also as ``from ... import``."""
        functions = {id(getattr(torch, name)): name for name in (*_DIMS, *_TRANSPOSED_DIMS)}
        ours = {name: self._guarded(name, getattr(torch, name)) for name in functions.values()}
        for module in list(sys.modules.values()):
            names = getattr(module, "__dict__", {})
            if names.get("__name__", "").startswith(__package__):
                continue
            for name, value in list(names.items()):
                if id(value) in functions:
                    self._replaced.append((names, name, value))
                    names[name] = ours[functions[id(value)]]

    def _guarded(self, name: str, function: _Function) -> _Function:
        is_plain = name in _DIMS
        compute = convolve if is_plain else convolve_transposed
        dims = (_DIMS if is_plain else _TRANSPOSED_DIMS)[name]

        @functools.wraps(function)
        def guarded(*inputs: Any, **named: Any) -> Tensor:
            guards = self._guards
            if not guards:
                return function(*inputs, **named)
            if "input" in named:
                named["x"] = named.pop("input")
            return compute(guards[-1], dims, *inputs, **named)

        return guarded


_INTERCEPTION = _Interception()
