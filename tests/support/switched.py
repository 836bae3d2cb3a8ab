"""Which stack and which source of ROCm a box has, as testinfra sees it."""

from __future__ import annotations

import json
from typing import Any

SOURCE = "/etc/apt/sources.list.d/rocm.sources"
PIN = "/etc/apt/preferences.d/rocm-pin-600"
KEYRING = "/etc/apt/keyrings/rocm.gpg"


def active_stack(host: Any) -> tuple[str, list[str], str]:
    """Stack of stack.json, profile scripts, and where the command leads to."""
    stack = json.loads(host.file("/etc/rdna1/stack.json").content_string)["stack"]
    profiles = host.check_output("find /etc/profile.d -name 'rocm-rdna1-*.sh'").split()
    return stack, profiles, host.check_output("readlink /usr/local/bin/rdna1-preflight")


def torch_version(host: Any, stack: str) -> str:
    """What the environment of a stack imports."""
    program = "import torch; print(torch.__version__)"
    return str(host.check_output(f"/opt/rdna1/{stack}/bin/python -c %s", program))


def files_of_amd(host: Any) -> set[str]:
    """The files of AMD's repository that are there."""
    return {path for path in (SOURCE, PIN, KEYRING) if host.file(path).exists}
