"""Runs a script as Python does, inside a guard."""

from __future__ import annotations

import argparse
import ctypes
import os
import runpy
import signal
import sys
from pathlib import Path

import torch

from .activate import entered, found
from .convolution import OutsideEnvelopeError
from .flight import Recorder
from .setting import Guard
from .status import record, status

FLIGHT_VARIABLE = "RDNA1_GUARD_FLIGHT"
_WATCHER_VARIABLE = "RDNA1_GUARD_WATCHER"
_PR_SET_PDEATHSIG = 1
_MIB = 1024 * 1024


def run(options: argparse.Namespace) -> int:
    """Run the script of ``python -m rdna1.guard``.

    Args:
        options: of the command line.

    Returns:
        0; a script that raises or exits ends the process as it does without a guard.

    Raises:
        EnvelopeError: there is no envelope, or it is not one.
    """
    file = os.environ.pop(FLIGHT_VARIABLE, None)
    if file:
        _die_with(int(os.environ.pop(_WATCHER_VARIABLE)))
    guard = Guard(
        found(options.envelope),
        options.strict,
        int(options.memory * _MIB) if options.memory else None,
        record,
        Recorder(Path(file), _synchronize if options.synchronize else None) if file else None,
        options.record_only,
    )
    script = Path(options.script)
    sys.argv = [options.script, *options.arguments]
    # As for a script that is run without the guard, in place of that of ``-m``.
    sys.path[0] = str(script.resolve().parent)
    try:
        with entered(guard):
            runpy.run_path(options.script, run_name="__main__")
    except OutsideEnvelopeError as error:
        print(f"python -m rdna1.guard: {error}", file=sys.stderr)
        return 1
    finally:
        if options.summary:
            print(f"rdna1.guard: {status()}", file=sys.stderr)
    return 0


def _synchronize() -> None:
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()


def _die_with(watcher: int) -> None:
    """End this process when its watcher ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != watcher:
        os.kill(os.getpid(), signal.SIGKILL)
