"""One box goes from one stack's environment to another's and back, and is repaired.

The box is made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from support.box_state import State, difference, state
from support.boxes import Box, remove_box, start_box
from support.wheel_boxes import IGNORED, LENT, add_own_requirements, fill_index, lend_python
from support.wheels import serve

PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
COMMAND = "/usr/local/bin/rdna1-preflight"


class Switched(NamedTuple):
    """A box, the index, the state before."""

    box: Box
    address: str
    before: State

    def play(self, stack: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Install a stack's environment and variables, without packages and a measurement."""
        given = {
            "rdna1_stack": stack,
            "rdna1_pytorch_source": "index",
            "pytorch_index_url": self.address,
            "pytorch_project_index_url": self.address,
            "pytorch_gfx_target": "gfx1010",
            "preflight_ignore": IGNORED,
        }
        played = self.box.play(
            f"--extra-vars={json.dumps(given)}", "--tags=pytorch,environment", *options
        )
        assert played.returncode == 0, played.stdout
        return played

    def active(self) -> tuple[str, list[str], str]:
        """Stack of stack.json, profile scripts, and where the command leads to."""
        stack = json.loads(self.box.run("cat", "/etc/rdna1/stack.json"))["stack"]
        profiles = self.box.run("find", "/etc/profile.d", "-name", "rocm-rdna1-*.sh").split()
        return stack, profiles, self.box.run("readlink", COMMAND).strip()


@pytest.fixture(scope="module")
def switched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switched]:
    """A box of which nothing is provisioned yet."""
    name = f"rdna1-test-{os.getpid()}-stacks"
    folder = tmp_path_factory.mktemp("stacks")
    fill_index(folder / "index")
    for python in (LENT["rocm-5.7"], "3.13"):
        add_own_requirements(folder / "index", python)
    try:
        box = lend_python(lambda *o: start_box(name, folder, o), LENT["rocm-5.7"])
        box.run("useradd", "--create-home", "ada")
        with serve(folder / "index") as address:
            yield Switched(box, address, state(box))
    finally:
        remove_box(name)


def test_one_stack_is_active_after_each_switch(switched: Switched) -> None:
    for stack, profile in (
        ("rocm-5.7", PROFILE),
        ("therock", "/etc/profile.d/rocm-rdna1-therock.sh"),
        ("rocm-5.7", PROFILE),
    ):
        switched.play(stack)
        command = f"/opt/rdna1/{stack}/bin/rdna1-preflight"
        assert switched.active() == (stack, [profile], command)
        assert switched.box.run(COMMAND, "list")


def test_the_run_after_a_switch_changes_nothing(switched: Switched) -> None:
    assert "changed=0" in switched.play("rocm-5.7").stdout


def test_what_was_changed_by_hand_is_put_right(switched: Switched) -> None:
    box = switched.box
    box.run("sed", "-i", "s/10.3.0/9.0.0/", PROFILE)
    # A program in place of a link, and an environment whose link leads nowhere.
    box.run("sh", "-c", f"rm {COMMAND}; echo mine > {COMMAND}")
    box.run("ln", "-sfn", "/nowhere", "/opt/rdna1/rocm-5.7")
    played = switched.play("rocm-5.7", "--diff")
    assert "export HSA_OVERRIDE_GFX_VERSION=9.0.0" in played.stdout
    assert "export HSA_OVERRIDE_GFX_VERSION=10.3.0" in played.stdout
    assert "10.3.0" in box.run("cat", PROFILE)
    assert box.run(COMMAND, "list")
    assert "changed=0" in switched.play("rocm-5.7").stdout


def test_a_damaged_environment_is_built_anew(switched: Switched) -> None:
    box = switched.box
    box.run("sh", "-c", "rm /opt/rdna1/rocm-5.7/lib/python3*/site-packages/torch.py")
    switched.play("rocm-5.7")
    python = "/opt/rdna1/rocm-5.7/bin/python"
    assert "2.2.2+rocm5.7" in box.run(python, "-c", "import torch; print(torch.__version__)")


def test_rollback_leads_back_to_the_first_state(switched: Switched) -> None:
    undone = switched.box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    found = difference(switched.before, state(switched.box))
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}
