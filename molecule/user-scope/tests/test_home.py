"""A home that its user provisioned without root."""

from __future__ import annotations

import json
from typing import Any

from support.scenario import change_of_state

HOME = "/home/ada"
PREFIX = f"{HOME}/.local/share/rdna1"
CONFIG = f"{HOME}/.config"


def as_user(host: Any, script: str) -> str:
    """Run a shell script as the user, as at a login."""
    return str(host.check_output("su - ada -c %s", script))


def test_nothing_outside_of_the_home_changed() -> None:
    found = change_of_state()
    assert set(found) == {"files", "contents"}
    assert [line for lines in found.values() for line in lines if HOME not in line] == []


def test_everything_is_the_users(host: Any) -> None:
    assert host.check_output(f"find {HOME} ! -user ada -o ! -group ada") == ""


def test_the_users_folder_keeps_its_mode_and_what_is_in_it(host: Any) -> None:
    assert host.file(CONFIG).mode == 0o700
    assert host.file(f"{CONFIG}/mine").content == b"mine\n"


def test_scripts_enter_the_environment(host: Any) -> None:
    asked = "import sys, torch; print(torch.__version__, sys.prefix)"
    printed = as_user(host, f". ~/.config/rdna1/rocm-5.7/activate.sh; python -c '{asked}'")
    version, prefix = printed.split()
    assert version == "2.2.2+rocm5.7"
    assert prefix.startswith(f"{PREFIX}/environments/rocm-5.7-") or prefix == f"{PREFIX}/rocm-5.7"


def test_commands_are_in_the_home(host: Any) -> None:
    assert "rocm-mixture" in as_user(host, "~/.local/bin/rdna1-preflight list")
    assert as_user(host, "~/.local/bin/rdna1-validate --help") != ""


def test_the_session_gets_the_variables(host: Any) -> None:
    session = host.file(f"{CONFIG}/environment.d/rdna1-rocm-5.7.conf")
    assert 'HSA_OVERRIDE_GFX_VERSION="10.3.0"' in session.content_string.splitlines()


def test_the_stack_is_written_down(host: Any) -> None:
    stack = json.loads(host.file(f"{CONFIG}/rdna1/stack.json").content_string)
    assert stack["environment"] == f"{PREFIX}/rocm-5.7"
