"""Where the programs start: Ctrl-C ends them quietly while they are still importing, too."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

INTERRUPTED = 130


def preflight() -> NoReturn:
    """The program ``rdna1-preflight``."""
    _start("preflight")


def validate() -> NoReturn:
    """The program ``rdna1-validate``."""
    _start("validate")


def _start(command: str) -> NoReturn:
    try:
        sys.exit(import_module(f"rdna1.cli.{command}").main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
