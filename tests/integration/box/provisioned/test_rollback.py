"""Rollback of a provisioned machine: to a snapshot, around what the owner needs, and whole."""

from __future__ import annotations

import shlex

import pytest

from support.box_state import PACKAGE, State, difference, state
from support.boxes import Box
from support.provisioned import PROFILE, SNAPSHOTS, USERS, Provisioned

HOOK = "/etc/apt/apt.conf.d/99-wait"
WAIT = "touch /run/removed; while test -e /run/removed; do sleep 0.1; done"


@pytest.fixture(scope="module")
def measured(provisioned: Provisioned) -> State:
    """The state of the machine after its measurements, whose report is newer than the record."""
    return state(provisioned.box)


def test_a_wrong_snapshot_lists_all(box: Box) -> None:
    undone = box.play("--extra-vars=rollback_snapshot=2020", playbook="playbooks/rollback.yml")
    assert undone.returncode != 0
    assert "there is no snapshot 2020" in undone.stdout
    assert box.run("ls", SNAPSHOTS).strip() in undone.stdout


def test_check_mode_of_rollback_changes_nothing(box: Box, measured: State) -> None:
    shown = box.play("--check", "--diff", playbook="playbooks/rollback.yml")
    assert shown.returncode == 0, shown.stdout
    assert f"put back {PROFILE}" in shown.stdout
    assert difference(measured, state(box)) == {}


def test_rollback_goes_back_to_a_chosen_snapshot(box: Box, measured: State) -> None:
    switched = box.play(
        USERS, "--extra-vars=environment_miopen_profile=implicit-gemm", "--tags=environment"
    )
    assert switched.returncode == 0, switched.stdout
    assert "MIOPEN_DEBUG_CONV_GEMM" in box.run("cat", PROFILE)
    name = box.run("ls", SNAPSHOTS).split()[-1]
    undone = box.play(
        f"--extra-vars=rollback_snapshot={name}",
        "--extra-vars=rollback_confirm=yes",
        playbook="playbooks/rollback.yml",
    )
    assert undone.returncode == 0, undone.stdout
    assert difference(measured, state(box)) == {}


def test_what_the_owners_packages_need_stays(box: Box) -> None:
    control = "Package: mine\nVersion: 1\nArchitecture: all\nMaintainer: me\n"
    control += "Description: mine\nDepends: rocminfo\n"
    box.run("mkdir", "-p", "/srv/mine/DEBIAN")
    box.run("sh", "-c", f"printf {shlex.quote(control)} > /srv/mine/DEBIAN/control")
    box.run("dpkg-deb", "--build", "/srv/mine", "/srv/mine.deb")
    box.run("apt-get", "-qq", "install", "/srv/mine.deb")
    undone = box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    assert "package rocminfo: needed by mine" in undone.stdout
    there = box.run("dpkg-query", "-W", "-f", PACKAGE)
    assert "ii  rocminfo" in there
    assert "ii  mine" in there
    assert "python3-torch" not in there
    assert "rocminfo" in box.run("apt-mark", "showauto")
    # Something is left to take back, so this stays as well.
    assert box.run("ls", SNAPSHOTS) != ""
    box.run("dpkg", "--purge", "mine")
    box.run("rm", "-r", "/srv/mine", "/srv/mine.deb")


def test_rollback_after_an_interrupted_one_leaves_no_difference(
    box: Box, provisioned: Provisioned
) -> None:
    # The run after a rollback that left something, itself interrupted after its packages.
    again = box.play(USERS, "--tags=rocm")
    assert again.returncode == 0, again.stdout
    # apt does not end before it is looked at, however busy this machine is.
    box.run("sh", "-euc", f"echo 'DPkg::Post-Invoke {{\"{WAIT}\";}};' > {HOOK}")
    with box.start(playbook="playbooks/rollback.yml") as running:
        while not box.run("find", "/run", "-name", "removed"):
            assert running.poll() is None, "it ended without removing packages"
        running.kill()
    box.run("rm", HOOK, "/run/removed")
    assert "rocm-smi" not in box.run("dpkg-query", "-W", "-f", PACKAGE)
    undone = box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    found = difference(provisioned.before, state(box))
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}


def test_a_second_rollback_says_that_there_is_nothing_to_take_back(box: Box) -> None:
    undone = box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode != 0
    assert f"there is no snapshot in {SNAPSHOTS}" in undone.stdout
    assert "changed=0" in undone.stdout
