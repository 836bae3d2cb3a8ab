"""Have Python read a module at once, where Ansible has it read byte by byte.

With pipelining a module is the standard input of ``python3``, which reads a program from there with
a system call for each byte: a third of a small task's processor time on the machine
(tests/unit/roles/test_pipelining_callback.py counts them).
"""

from __future__ import annotations

import shlex
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.plugins.shell.sh import ShellModule

DOCUMENTATION = r"""
name: rdna1_pipelining
type: aggregate
short_description: Have Python read modules at once
description:
  - Ansible has no setting for the command that runs a module. Where that is to read the module
    from the standard input, on a POSIX shell, it gets a program of one line that does so at once.
author: [rdna1 contributors]
"""

_READ_AT_ONCE = f"-c {shlex.quote('import sys; exec(sys.stdin.buffer.read())')}"


class CallbackModule(CallbackBase):
    """Loaded with every playbook, by ``ansible.cfg``."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "rdna1_pipelining"

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002 - Ansible's signature
        """Prepare the workers, each of which is forked from this process."""
        shell: Any = ShellModule
        shell.build_module_command = reading_at_once(shell.build_module_command)


def reading_at_once(build: Any) -> Any:
    """Return Ansible's method that builds the command of a module, with what is missing in it."""

    def build_module_command(
        shell: Any, env_string: str, shebang: str | None, cmd: str, arg_path: str | None = None
    ) -> str:
        command: str = build(shell, env_string, shebang, cmd, arg_path)
        return command if cmd or not shebang else f"{command} {_READ_AT_ONCE}"

    return build_module_command
