"""A box that site.yml provisioned: what a failing card looks like there, and the way back.

The box is made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator

import pytest

from support.box_state import PACKAGE, State, difference, state
from support.boxes import Box, remove_box, start_box

PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
USERS = '--extra-vars={"rdna1_users": ["ada"]}'
SNAPSHOTS = "/var/lib/rdna1/snapshots"
THINGS_OF_THE_OWNER = f"""
echo MINE=1 > {PROFILE}
echo OTHER=1 > /etc/profile.d/rocm-rdna1-52.sh
mkdir -p /opt/rdna1 /etc/rdna1
echo mine > /opt/rdna1/mine
echo mine > /etc/rdna1/mine.conf
printf '# mine\\r\\nexport MIOPEN_FIND_ENFORCE=3\\n' > /home/ada/.bashrc
chown ada: /home/ada/.bashrc
chmod 604 /home/ada/.bashrc
su ada -c 'mkdir -p ~/.config/miopen; echo old > ~/.config/miopen/db'
"""


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Box, State]]:
    """A box after site.yml, and its state before, with things of the owner's in every place."""
    name = f"rdna1-test-{os.getpid()}-provisioned"
    try:
        box = start_box(name, tmp_path_factory.mktemp("box"), [])
        box.run("apt-get", "-qq", "update")
        box.run("useradd", "--create-home", "ada")
        box.run("sh", "-euc", THINGS_OF_THE_OWNER)
        before = state(box)
        played = box.play(USERS)
        assert played.returncode == 0, played.stdout
        yield box, before
    finally:
        remove_box(name)


def test_the_report_is_copied_to_the_controller(provisioned: tuple[Box, State]) -> None:
    box, _ = provisioned
    report = json.loads((box.reports / "report.json").read_text())
    assert report["stack"] == "rocm-5.7"
    assert report["validation"]["verdict"] == "pass"
    assert report["packages"]["libamdhip64-5"].startswith("5.7.1")
    ignored = [c["id"] for c in report["preflight"]["checks"] if c["status"] == "ignored"]
    assert ignored == ["card", "find-enforce"]


def test_a_hanging_convolution_fails_the_play_and_leaves_no_process(
    provisioned: tuple[Box, State],
) -> None:
    box, _ = provisioned
    rule = "- {when: \"h == 36 and direction == 'forward'\", outcome: hang}"
    box.run("sh", "-c", f"echo {shlex.quote(rule)} > /root/rules.yml")
    played = box.play(
        "--extra-vars=validate_device=sim:/root/rules.yml",
        "--extra-vars=validate_timeout=2",
        "--extra-vars=validate_boundary=false",
        playbook="playbooks/validate.yml",
    )
    box.run("rm", "/root/rules.yml")
    assert played.returncode != 0
    assert "the validation failed: 16->32 3x3 36x36 forward: hang" in played.stdout
    assert "validation  fail (29 of 30 convolutions passed, 1 workers lost" in played.stdout
    commands = box.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "rdna1.conv.worker" not in commands


def test_a_validator_that_breaks_is_not_taken_for_a_verdict(
    provisioned: tuple[Box, State],
) -> None:
    box, _ = provisioned
    program = "/opt/rdna1/rocm-5.7/bin/rdna1-validate"
    box.run("mv", program, f"{program}.kept")
    # A stand-in that ends as Python does after an exception; the report before is still there.
    box.run("sh", "-c", f"printf '#!/bin/sh\\nexit 1\\n' > {program}; chmod 755 {program}")
    played = box.play(playbook="playbooks/validate.yml")
    box.run("mv", f"{program}.kept", program)
    assert played.returncode != 0
    assert "convolutions passed" not in played.stdout


def test_a_wrong_snapshot_lists_all(provisioned: tuple[Box, State]) -> None:
    box, _ = provisioned
    undone = box.play("--extra-vars=rollback_snapshot=2020", playbook="playbooks/rollback.yml")
    assert undone.returncode != 0
    assert "there is no snapshot 2020" in undone.stdout
    assert box.run("ls", SNAPSHOTS).strip() in undone.stdout


def test_check_mode_of_rollback_changes_nothing(provisioned: tuple[Box, State]) -> None:
    box, _ = provisioned
    before = state(box)
    shown = box.play("--check", "--diff", playbook="playbooks/rollback.yml")
    assert shown.returncode == 0, shown.stdout
    assert f"put back {PROFILE}" in shown.stdout
    assert difference(before, state(box)) == {}


def test_rollback_goes_back_to_a_chosen_snapshot(provisioned: tuple[Box, State]) -> None:
    box, _ = provisioned
    # After a run the measurement's report is newer than the record.
    before = state(box)
    switched = box.play(
        USERS, "--extra-vars=environment_miopen_profile=implicit-gemm", "--skip-tags=validate"
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
    assert difference(before, state(box)) == {}


def test_what_the_owners_packages_need_stays(provisioned: tuple[Box, State]) -> None:
    box, _ = provisioned
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
    provisioned: tuple[Box, State],
) -> None:
    box, before = provisioned
    # The run after a rollback that left something, itself interrupted after its packages.
    again = box.play(USERS, "--tags=rocm")
    assert again.returncode == 0, again.stdout
    with box.start(playbook="playbooks/rollback.yml") as running:
        while "rocm-smi" in box.run("dpkg-query", "-W", "-f", PACKAGE):
            assert running.poll() is None, "it ended before it could be interrupted"
        running.kill()
    undone = box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    found = difference(before, state(box))
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}


def test_a_second_rollback_says_that_there_is_nothing_to_take_back(
    provisioned: tuple[Box, State],
) -> None:
    undone = provisioned[0].play(playbook="playbooks/rollback.yml")
    assert undone.returncode != 0
    assert f"there is no snapshot in {SNAPSHOTS}" in undone.stdout
    assert "changed=0" in undone.stdout
