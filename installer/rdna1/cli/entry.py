"""Where the programs start: Ctrl-C ends them quietly while they are still importing, too."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

INTERRUPTED = 130
# What would replace the torch or the ROCm that is measured.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "LD_PRELOAD")


def preflight() -> NoReturn:
    """Return the program ``rdna1-preflight``."""
    _start("preflight")


def audit() -> NoReturn:
    """Return the program ``rdna1-audit``."""
    _start("audit")


def validate() -> NoReturn:
    """Run ``rdna1-validate``, started again where a variable puts other modules first."""
    foreign = [name for name in _FOREIGN if os.environ.get(name)]
    if foreign:
        sys.stderr.write(f"rdna1-validate: left out: {', '.join(foreign)}\n")
        kept = {name: value for name, value in os.environ.items() if name not in foreign}
        # Python and the dynamic linker have read them already: only a new start is without.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)  # noqa: S606
    _start("validate")


def _start(command: str) -> NoReturn:
    try:
        sys.exit(import_module(f"rdna1.cli.{command}").main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
