"""A box that site.yml provisioned: its limit, what a failing card looks like, and the way back.

The box is made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from rdna1.conv.case import ConvCase
from rdna1.measure.envelope import Envelope, allows
from rdna1.measure.smoke import smoke_cases
from support.box_state import PACKAGE, State, difference, state
from support.boxes import Box, remove_box, start_box

ENVELOPE = "/etc/rdna1/envelope.json"
VALIDATE = "playbooks/validate.yml"
SIMULATED = (
    "--extra-vars=validate_device=sim:/root/rules.yml",
    "--extra-vars=validate_timeout=2",
    "--extra-vars=validate_boundary=true",
    "--extra-vars=validate_boundary_max_side=48",
    "--extra-vars=validate_boundary_quick=true",
)
ALL = len(smoke_cases())
PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
USERS = '--extra-vars={"rdna1_users": ["ada"]}'
SNAPSHOTS = "/var/lib/rdna1/snapshots"
HOOK = "/etc/apt/apt.conf.d/99-wait"
WAIT = "touch /run/removed; while test -e /run/removed; do sleep 0.1; done"
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


class Provisioned(NamedTuple):
    """A box after site.yml, its state before, and what the run printed."""

    box: Box
    before: State
    printed: str


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioned]:
    """A box after site.yml, which has no GPU, with things of the owner's in every place."""
    name = f"rdna1-test-{os.getpid()}-provisioned"
    try:
        box = start_box(name, tmp_path_factory.mktemp("box"), [])
        box.run("apt-get", "-qq", "update")
        box.run("useradd", "--create-home", "ada")
        box.run("sh", "-euc", THINGS_OF_THE_OWNER)
        before = state(box)
        played = box.play(USERS)
        assert played.returncode == 0, played.stdout
        yield Provisioned(box, before, played.stdout)
    finally:
        remove_box(name)


@pytest.fixture
def box(provisioned: Provisioned) -> Box:
    """The box."""
    return provisioned.box


def rules(box: Box, text: str) -> None:
    """Simulate a card by these rules from now on."""
    box.run("sh", "-c", f"printf '%s\\n' {shlex.quote(text)} > /root/rules.yml")


def envelope(box: Box) -> Any:
    """The envelope on the box."""
    return json.loads(box.run("cat", ENVELOPE))


def test_the_report_is_copied_to_the_controller(box: Box) -> None:
    report = json.loads((box.reports / "report.json").read_text())
    assert report["stack"] == "rocm-5.7"
    assert report["validation"]["verdict"] == "pass"
    assert report["packages"]["libamdhip64-5"].startswith("5.7.1")
    ignored = [c["id"] for c in report["preflight"]["checks"] if c["status"] == "ignored"]
    assert ignored == ["card", "find-enforce"]


def test_a_run_without_options_provokes_no_hang(box: Box) -> None:
    assert not (box.reports / "boundary.json").exists()
    assert json.loads((box.reports / "report.json").read_text())["boundary"] is None
    smoke = json.loads((box.reports / "smoke.json").read_text())
    sides = [max(each["case"]["h"], each["case"]["w"]) for each in smoke["cases"]]
    assert max(sides) <= 42


def test_unmeasured_the_documented_limit_is_written(box: Box, provisioned: Provisioned) -> None:
    printed = " ".join(provisioned.printed.split())
    assert "limit documented for rocm-5.7: 42 pixels" in printed
    assert "not measured, as nobody asked for it (validate_boundary=true)" in printed
    written = envelope(box)
    assert (written["source"], written["max_side"]) == ("stack", 42)
    assert written["max_workspace_bytes"] == 1016064
    assert box.run("stat", "-c", "%U %G %a", ENVELOPE) == "root root 644\n"


def test_a_measurement_that_passed_is_told_again_until_something_changes(box: Box) -> None:
    again = box.play(USERS)
    assert again.returncode == 0, again.stdout
    told = " ".join(again.stdout.split())
    assert "nothing was changed since (validate_again=true measures again)" in told
    assert f"pass ({ALL} of {ALL} convolutions passed" in told
    box.run("sh", "-c", "echo '# mine' >> /etc/environment")
    changed = box.play(USERS)
    assert changed.returncode == 0, changed.stdout
    box.run("sed", "-i", "$d", "/etc/environment")
    assert "nothing was changed since" not in " ".join(changed.stdout.split())


def test_a_measured_limit_replaces_it_and_reports_are_fetched(box: Box) -> None:
    rules(box, '- {when: "max(h, w) > 42", outcome: hang}')
    played = box.play(*SIMULATED, playbook=VALIDATE)
    assert played.returncode == 0, played.stdout
    assert "limit       LIMIT: 42 pixels pass, 43 hangs; rule side" in played.stdout
    assert "WARNING" not in played.stdout + played.stderr
    written = envelope(box)
    assert (written["source"], written["max_side"]) == ("measured", 42)
    fetched = json.loads((box.reports / "boundary.json").read_text())
    assert fetched["result"]["safe_side"] == 42
    assert json.loads((box.reports / "smoke.json").read_text())["verdict"] == "pass"


def test_the_same_measurement_again_is_no_change(box: Box) -> None:
    before = box.run("cat", ENVELOPE)
    played = box.play(*SIMULATED, playbook=VALIDATE)
    assert played.returncode == 0, played.stdout
    assert "changed=0" in played.stdout
    assert box.run("cat", ENVELOPE) == before


def test_a_limit_below_the_documented_one_is_a_warning(box: Box) -> None:
    # Unlike a hang, a wrong result costs no worker.
    rules(box, '- {when: "max(h, w) > 41", outcome: wrong}')
    played = box.play(*SIMULATED, "--extra-vars=validate_max_side=40", playbook=VALIDATE)
    assert played.returncode == 0, played.stdout
    said = " ".join((played.stdout + played.stderr).split())
    assert "WARNING" in said
    assert "the measured limit, 41 pixels, is below the one documented for rocm-5.7" in said
    assert envelope(box)["max_side"] == 41


def test_no_limit_is_said_plainly(box: Box) -> None:
    rules(box, '- {when: "h > 9999", outcome: hang}')
    # Nothing hangs, and the largest products take seconds where other tests compute, too.
    routes = '--extra-vars={"validate_boundary_routes": ["matmul"], "validate_timeout": 60}'
    played = box.play(*SIMULATED, routes, playbook=VALIDATE)
    assert played.returncode == 0, played.stdout
    said = " ".join(played.stdout.split())
    assert "NO LIMIT up to 48 pixels" in said
    assert "everything beyond the documented 42 pixels" in said
    # What was not tried is not allowed.
    written = envelope(box)
    assert written["max_side"] == 48
    assert written["routes"].keys() == {"matmul"}
    (route,) = json.loads((box.reports / "boundary.json").read_text())["routes"]
    assert [each for each in route["cases"] if each["outcome"] != "pass"] == []
    assert written["routes"]["matmul"]["max_side"] == 48
    made = msgspec.convert(written, Envelope)
    assert allows(made, ConvCase(64, 64, 42, 42, 3, 3, padding=1))
    assert not allows(made, ConvCase(64, 64, 49, 49, 3, 3, padding=1))


def test_where_nothing_passes_there_is_no_envelope(box: Box) -> None:
    rules(box, '- {when: "h > 0", outcome: wrong}')
    played = box.play(*SIMULATED, playbook=VALIDATE)
    assert played.returncode != 0
    assert "the validation failed" in played.stdout
    assert box.run("find", "/etc/rdna1", "-name", "envelope.json") == ""


def test_a_hanging_convolution_fails_the_play_and_leaves_no_process(box: Box) -> None:
    rules(box, "- {when: \"h == 36 and direction == 'forward'\", outcome: hang}")
    played = box.play(
        "--extra-vars=validate_device=sim:/root/rules.yml",
        "--extra-vars=validate_timeout=2",
        playbook=VALIDATE,
    )
    box.run("rm", "/root/rules.yml")
    assert played.returncode != 0
    assert "the validation failed: 16->32 3x3 36x36 forward: hang" in played.stdout
    assert (
        f"validation  fail ({ALL - 1} of {ALL} convolutions passed, 1 workers lost" in played.stdout
    )
    commands = box.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "rdna1.worker.worker" not in commands


def test_a_validator_that_breaks_is_not_taken_for_a_verdict(box: Box) -> None:
    program = "/opt/rdna1/rocm-5.7/bin/rdna1-validate"
    box.run("mv", program, f"{program}.kept")
    # A fake that ends as Python does after an exception; the report before is still there.
    box.run("sh", "-c", f"printf '#!/bin/sh\\nexit 1\\n' > {program}; chmod 755 {program}")
    played = box.play(playbook=VALIDATE)
    box.run("mv", f"{program}.kept", program)
    assert played.returncode != 0
    assert "convolutions passed" not in played.stdout


def test_a_wrong_snapshot_lists_all(box: Box) -> None:
    undone = box.play("--extra-vars=rollback_snapshot=2020", playbook="playbooks/rollback.yml")
    assert undone.returncode != 0
    assert "there is no snapshot 2020" in undone.stdout
    assert box.run("ls", SNAPSHOTS).strip() in undone.stdout


def test_check_mode_of_rollback_changes_nothing(box: Box) -> None:
    before = state(box)
    shown = box.play("--check", "--diff", playbook="playbooks/rollback.yml")
    assert shown.returncode == 0, shown.stdout
    assert f"put back {PROFILE}" in shown.stdout
    assert difference(before, state(box)) == {}


def test_rollback_goes_back_to_a_chosen_snapshot(box: Box) -> None:
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
