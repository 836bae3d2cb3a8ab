"""Guards every program of an environment that asks for it with ``RDNA1_GUARD``.

Python reads ``at_start/rdna1_guard.pth`` from its site-packages at each start, which calls
`wait_for_torch` where the variable is set. Nothing is imported before the program imports torch.
"""

from __future__ import annotations

import atexit
import importlib.abc
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

SWITCH = "RDNA1_GUARD"
ENVELOPE = "RDNA1_GUARD_ENVELOPE"
SUMMARY = "RDNA1_GUARD_SUMMARY"
_OFF, _AUTO, _STRICT = ("", "0"), ("1", "auto"), ("strict",)


def wait_for_torch() -> None:
    """Start a guard when this process has imported torch."""
    # Python may find the file in several folders.
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Leave finding to the others; of torch, add what comes after it."""
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_guard(module: ModuleType) -> None:
                execute(module)
                _start()

            spec.loader.exec_module = execute_and_guard  # type: ignore[method-assign]
        return spec


def _start() -> None:
    """Start the guard of this process, if the variable is still set."""
    mode = os.environ.get(SWITCH, "0")
    if mode in _OFF:
        return
    if mode not in (*_AUTO, *_STRICT):
        _say(f"{SWITCH}={mode} is none of 0, 1, auto and strict: nothing is guarded")
        return
    from .activate import enter, found
    from .convolution import OutsideEnvelopeError
    from .envelope import EnvelopeError
    from .setting import Guard
    from .status import record, status

    strict = mode in _STRICT
    try:
        guard = Guard(found(os.environ.get(ENVELOPE)), strict, record=record)
        enter(guard)
    except (EnvelopeError, OutsideEnvelopeError) as error:
        if strict:
            raise
        _say(f"{error}. Nothing is guarded; {SWITCH}=0 ends this message")
        return
    if os.environ.get(SUMMARY, "0") not in _OFF:
        atexit.register(lambda: _say(str(status())))


def _say(line: str) -> None:
    print(f"rdna1.guard: {line}", file=sys.stderr)
