"""Modules of this project, run as Ansible runs them: in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

INSTALLER = Path(__file__).parents[2] / "installer"
MODULES = INSTALLER / "ansible_plugins/modules"
# What the setting module_utils of ansible.cfg does: rdna1 is below ansible.module_utils.
_START = """
import runpy, sys
import ansible.module_utils
ansible.module_utils.__path__.append(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_module(name: str, given: Mapping[str, object], folder: Path) -> dict[str, Any]:
    """The result of a module.

    Args:
        name: of the module.
        given: its arguments, and Ansible's own (``_ansible_check_mode``).
        folder: for the file that tells it the arguments.
    """
    arguments = folder / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
    done = subprocess.run(
        [sys.executable, "-c", _START, INSTALLER, MODULES / f"{name}.py", arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
