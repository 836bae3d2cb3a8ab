"""A home that user.yml provisioned without root: nothing outside of it changes, and the way back.

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

HOME = "/home/ada"
PREFIX = f"{HOME}/.local/share/rdna1"
SESSION = f"{HOME}/.config/environment.d/rdna1-rocm-5.7.conf"
# The user's own folder keeps its mode and what is in it.
THINGS_OF_THE_USER = f"""
# The lent Python may be in the home of who runs the tests.
chmod o+x /root
mkdir -m 700 {HOME}/.config
echo mine > {HOME}/.config/mine
chown -R ada: {HOME}/.config
"""


class Home(NamedTuple):
    """A box with a user who has no root, the index, the state before."""

    box: Box
    address: str
    before: State

    def play(
        self, *options: str, playbook: str = "playbooks/user.yml", **variables: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook as the user; stand-ins of wheels measure nothing."""
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
    add_own_requirements(folder / "index", LENT["rocm-5.7"])
    try:
        box = lend_python(lambda *o: start_box(name, folder, o), LENT["rocm-5.7"])
        box.run("useradd", "--create-home", "--shell", "/bin/bash", "ada")
        box.run("sh", "-euc", THINGS_OF_THE_USER)
        with serve(folder / "index") as address:
            yield Home(box, address, state(box))
    finally:
        remove_box(name)


def outside(before: State, after: State) -> dict[str, list[str]]:
    """What differs outside of the home."""
    found = difference(before, after)
    kept = {p: [li for li in lines if HOME not in li] for p, lines in found.items()}
    return {part: lines for part, lines in kept.items() if lines}


def test_root_is_sent_to_the_other_playbook(home: Home) -> None:
    played = home.play(ansible_user="root")
    assert played.returncode != 0
    assert "This is for users without root" in played.stdout
    assert difference(home.before, state(home.box)) == {}


def test_a_dry_run_changes_nothing(home: Home) -> None:
    played = home.play("--check", "--diff")
    assert played.returncode == 0, played.stdout
    assert difference(home.before, state(home.box)) == {}


def test_everything_is_in_the_home_and_nothing_outside_changes(home: Home) -> None:
    played = home.play()
    assert played.returncode == 0, played.stdout
    assert "For whoever has root here, once:" in played.stdout
    assert "usermod -aG" in played.stdout
    assert outside(home.before, state(home.box)) == {}
    owners = home.box.run("find", HOME, "!", "-user", "ada", "-o", "!", "-group", "ada")
    assert owners == ""
    assert home.box.run("stat", "-c", "%a", f"{HOME}/.config") == "700\n"


def test_the_user_has_variables_environment_and_commands(home: Home) -> None:
    asked = "import sys, torch; print(torch.__version__, sys.prefix)"
    activated = f". ~/.config/rdna1/rocm-5.7/activate.sh; python -c '{asked}'"
    version, prefix = home.as_user(activated).split()
    assert version == "2.2.2+rocm5.7"
    assert prefix.startswith(f"{PREFIX}/environments/rocm-5.7-") or prefix == f"{PREFIX}/rocm-5.7"
    assert "rocm-mixture" in home.as_user("~/.local/bin/rdna1-preflight list")
    assert 'HSA_OVERRIDE_GFX_VERSION="10.3.0"' in home.box.run("cat", SESSION)
    stack = json.loads(home.box.run("cat", f"{HOME}/.config/rdna1/stack.json"))
    assert stack["environment"] == f"{PREFIX}/rocm-5.7"


def test_the_second_run_changes_nothing(home: Home) -> None:
    played = home.play()
    assert played.returncode == 0, played.stdout
    assert "changed=0" in played.stdout


def test_what_the_user_damaged_is_put_right(home: Home) -> None:
    home.box.run("sh", "-c", f"rm {HOME}/.local/bin/rdna1-validate; echo A=1 > {SESSION}")
    played = home.play()
    assert played.returncode == 0, played.stdout
    # The third is the record of this run.
    assert "changed=3" in played.stdout, played.stdout
    assert 'HSA_OVERRIDE_GFX_VERSION="10.3.0"' in home.box.run("cat", SESSION)
    assert home.as_user("~/.local/bin/rdna1-validate --help")


def test_the_distributions_packages_are_refused(home: Home) -> None:
    played = home.play(pytorch_source="distro")
    assert played.returncode != 0
    assert "Only root can install the distribution's PyTorch" in played.stdout


def test_rollback_leaves_no_difference(home: Home) -> None:
    undone = home.play(playbook="playbooks/user_rollback.yml")
    assert undone.returncode == 0, undone.stdout
    found = difference(home.before, state(home.box))
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}
