"""A box that site.yml provisioned: what a failing card looks like there, and the way back.

The box is made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator

import pytest

from support.boxes import Box, remove_box, start_box

PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
USERS = '--extra-vars={"rdna1_users": ["ada"]}'
FOLDERS = ("/etc", "/opt", "/usr/local", "/var/lib")
# The copies of the state before that dpkg and the account tools keep.
COPIES = ("!", "-name", "*-", "!", "-name", "*-old")

State = dict[str, set[str]]


def state(box: Box) -> State:
    """Packages, files with mode, owner, kind and link target, and accounts of a box."""
    files = box.run("find", *FOLDERS, "-xdev", *COPIES, "-printf", r"%p %m %u %y %l\n")
    return {
        "packages": set(box.run("dpkg-query", "-W").splitlines()),
        "files": set(files.splitlines()),
        "profile": {box.run("cat", PROFILE)},
        "groups of the user": {box.run("id", "ada")},
        "groups of devices": {box.run("grep", "-cE", "^(render|video):", "/etc/group")},
    }


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Box, State]]:
    """A box after site.yml, and its state before: with a profile script of the user's own."""
    name = f"rdna1-test-{os.getpid()}-provisioned"
    try:
        box = start_box(name, tmp_path_factory.mktemp("box"), [])
        box.run("apt-get", "-qq", "update")
        box.run("sh", "-c", f"echo MINE=1 > {PROFILE}")
        box.run("useradd", "ada")
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
    assert ignored == ["card"]


def test_users_get_access_to_the_card(provisioned: tuple[Box, State]) -> None:
    assert {"render", "video"} <= set(provisioned[0].run("id", "-nG", "ada").split())


def test_a_hanging_convolution_fails_the_play_and_leaves_no_process(
    provisioned: tuple[Box, State],
) -> None:
    box, _ = provisioned
    rule = "- {when: \"h == 36 and direction == 'forward'\", outcome: hang}"
    box.run("sh", "-c", f"echo {shlex.quote(rule)} > /root/rules.yml")
    played = box.play(
        "--extra-vars=validate_device=sim:/root/rules.yml",
        "--extra-vars=validate_timeout=2",
        playbook="playbooks/validate.yml",
    )
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


def test_rollback_leaves_no_difference(provisioned: tuple[Box, State]) -> None:
    box, before = provisioned
    assert state(box)["profile"] != before["profile"]
    undone = box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    assert state(box) == before
