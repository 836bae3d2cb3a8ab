"""How the target's Python reads a module that Ansible sends through a pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.modules import load_by_path

shell: Any = pytest.importorskip("ansible.plugins.shell.sh")
PLUGIN = "installer/ansible_plugins/callback/rdna1_pipelining.py"
plugin: Any = load_by_path(Path(__file__).parents[3] / PLUGIN)

OWN = shell.ShellModule.build_module_command
AT_ONCE = plugin.reading_at_once(OWN)
# As long as Ansible's; what it prints is how many reads of any file there were, and a name.
MODULE = f"""# -*- coding: utf-8 -*-
# {"x" * 180_000}
import sys
if __name__ == "__main__":
    print(open("/proc/self/io").read().split("syscr: ")[1].split()[0], "µ", sys.stdin.read())
"""


def reads(build: Any) -> int:
    """How often Python reads when a module is sent to the command that is built for it."""
    command = build(shell.ShellModule(), "LC_ALL=C.UTF-8", f"#!{sys.executable}", "")
    done = subprocess.run(
        ["sh", "-c", f"{command} && true"],
        input=MODULE,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    number, name = done.stdout.split()
    assert name == "µ"
    return int(number)


def test_a_module_is_read_at_once() -> None:
    # Without the plugin it is one for each byte.
    assert reads(AT_ONCE) < len(MODULE) / 100


@pytest.mark.parametrize("shebang", ["#!/usr/bin/python3", None])
def test_the_command_of_a_file_stays_as_it_is(shebang: str | None) -> None:
    arguments = shell.ShellModule(), "", shebang, "module.py", "arguments"
    assert AT_ONCE(*arguments) == OWN(*arguments)
