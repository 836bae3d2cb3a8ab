"""Where a program calls a convolution: file, line and the layer's name."""

from __future__ import annotations

import os
import sys
from types import FrameType
from weakref import WeakKeyDictionary

from torch import nn

_NAMES: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()
_TORCH = os.path.dirname(os.path.dirname(nn.__file__)) + os.sep  # noqa: PTH120 - compared as text
_OURS = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - as above


def caller() -> str:
    """Return file and line of the program that is at work, as in ``model.py:41 (layer body.0)``.

    It is empty where no program is at work, as in the threads of autograd; the layer is left out
    for the call of a function.
    """
    frame, module = _at_work()
    if frame is None:
        return ""
    name = _name(module, frame) if module is not None else ""
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return f"{where} (layer {name})" if name else where


def calling_module() -> nn.Module | None:
    """Return torch's module that calls the function at work; None where a program calls it."""
    return _at_work()[1]


def _at_work() -> tuple[FrameType | None, nn.Module | None]:
    """Return the innermost frame of the program, and torch's module that it called."""
    frame: FrameType | None = sys._getframe(2)
    module = None
    while frame is not None and frame.f_code.co_filename.startswith((_OURS, _TORCH)):
        if module is None:
            module = _self(frame)
        frame = frame.f_back
    return frame, module


def _name(module: nn.Module, frame: FrameType | None) -> str:
    """Return the name of a module in the outermost one that is at work."""
    known = _NAMES.get(module)
    if known is not None:
        return known
    root = module
    while frame is not None:
        root = _self(frame) or root
        frame = frame.f_back
    names = (name for name, each in root.named_modules() if each is module)
    _NAMES[module] = next(names, "")
    return _NAMES[module]


def _self(frame: FrameType) -> nn.Module | None:
    """Return the module whose ``forward`` a frame runs."""
    if frame.f_code.co_name != "forward" or not frame.f_code.co_argcount:
        return None
    first = frame.f_locals.get(frame.f_code.co_varnames[0])
    return first if isinstance(first, nn.Module) else None
