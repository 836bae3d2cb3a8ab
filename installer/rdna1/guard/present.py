"""Whether an envelope was measured on what runs now."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from .envelope import Envelope

SYSTEM_FILE = "/etc/rdna1/envelope.json"
USER_FILE = ".config/rdna1/envelope.json"
_STACK_FILE = "/etc/rdna1/stack.json"
_MODULES = "/sys/module"


def default_file() -> Path | None:
    """Return the envelope file of this user, else of this machine, or None."""
    files = [Path.home() / USER_FILE, Path(SYSTEM_FILE)]
    return next((file for file in files if os.access(file, os.R_OK)), None)


def differences(envelope: Envelope) -> list[str]:
    """Return what differs from where an envelope was measured; what is not known does not.

    The device is compared where there is one: on a machine without, nothing can hang.
    """
    then, now = dict(envelope.measured), _present()
    return [
        f"{name} was {then[name]} and is {value}"
        for name, value in now.items()
        if name in then and then[name] != value
    ]


def _present() -> dict[str, str]:
    known: dict[str, str | None] = {"stack": _stack()}
    if torch.cuda.is_available():
        known["device"] = torch.cuda.get_device_name()
        known["torch"] = torch.__version__
        known["hip"] = torch.version.hip
        known["driver"] = _driver("amdgpu" if torch.version.hip else "nvidia")
    return {name: value for name, value in known.items() if value is not None}


def _driver(module: str) -> str:
    """Return a kernel module and its version, as `rdna1.measure.conditions` names them."""
    try:
        version = Path(_MODULES, module, "version").read_text(encoding="utf-8").strip()
    except OSError:
        # It came with the kernel.
        return f"{module} of kernel {os.uname().release}"
    return f"{module} {version}"


def _stack() -> str | None:
    try:
        written = json.loads(Path(_STACK_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    stack = written.get("stack") if isinstance(written, dict) else None
    return stack if isinstance(stack, str) else None
