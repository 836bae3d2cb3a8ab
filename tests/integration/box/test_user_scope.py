"""What user.yml refuses, says and puts right in a home without root.

The box is made once for this module; its tests run in the order of the file. The Molecule scenario
user-scope shows the home, and the way back.
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
from support.wheel_boxes import (
    HOST_PYTHONS,
    IGNORED,
    add_own_requirements,
    fill_index,
    mount_host_python,
)
from support.wheels import serve

HOME = "/home/ada"
SESSION = f"{HOME}/.config/environment.d/rdna1-rocm-5.7.conf"


class Home(NamedTuple):
    """A box with a user who has no root, the index, the state before."""

    box: Box
    address: str
    before: State

    def play(
        self, *options: str, playbook: str = "playbooks/user.yml", **variables: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook as the user; fakes of wheels measure nothing."""
        given = {
            "ansible_user": "ada",
            "pytorch_index_url": self.address,
            "pytorch_project_index_url": self.address,
            "preflight_ignore": IGNORED,
            **variables,
        }
        return self.box.play(
            f"--extra-vars={json.dumps(given)}",
            "--skip-tags=validate",
            *options,
            playbook=playbook,
        )

    def as_user(self, script: str) -> str:
        """Run a shell script as the user, as at a login."""
        return self.box.run("su", "-", "ada", "-c", script)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A box with a user, of whom nothing is provisioned yet."""
    name = f"rdna1-test-{os.getpid()}-user"
    folder = tmp_path_factory.mktemp("user")
    fill_index(folder / "index")
    add_own_requirements(folder / "index", HOST_PYTHONS["rocm-5.7"])
    try:
        box = mount_host_python(lambda *o: start_box(name, folder, o), HOST_PYTHONS["rocm-5.7"])
        box.run("useradd", "--create-home", "--shell", "/bin/bash", "ada")
        with serve(folder / "index") as address:
            yield Home(box, address, state(box))
    finally:
        remove_box(name)


def test_root_is_sent_to_the_other_playbook(home: Home) -> None:
    played = home.play(ansible_user="root")
    assert played.returncode != 0
    assert "This is for users without root" in played.stdout
    assert difference(home.before, state(home.box)) == {}


def test_what_only_root_can_do_is_named(home: Home) -> None:
    played = home.play()
    assert played.returncode == 0, played.stdout
    assert "For whoever has root here, once:" in played.stdout
    assert "usermod -aG" in played.stdout


def test_what_the_user_damaged_is_put_right(home: Home) -> None:
    home.box.run("sh", "-c", f"rm {HOME}/.local/bin/rdna1-validate; echo A=1 > {SESSION}")
    played = home.play()
    assert played.returncode == 0, played.stdout
    # The files in one call, and the record of this run.
    assert "changed=2" in played.stdout, played.stdout
    assert 'HSA_OVERRIDE_GFX_VERSION="10.3.0"' in home.box.run("cat", SESSION)
    assert home.as_user("~/.local/bin/rdna1-validate --help")


def test_the_distributions_packages_are_refused(home: Home) -> None:
    played = home.play(pytorch_source="distro")
    assert played.returncode != 0
    assert "Only root can install the distribution's PyTorch" in played.stdout
