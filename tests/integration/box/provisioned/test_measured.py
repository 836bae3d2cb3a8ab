"""Measurements on a provisioned machine: its limit, and what a failing card looks like."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from rdna1.conv.case import ConvCase
from rdna1.measure.envelope import Envelope, allows
from rdna1.measure.smoke import smoke_cases
from support.boxes import Box
from support.provisioned import ENVELOPE, VALIDATE, Provisioned

SIMULATED = (
    "--extra-vars=validate_device=sim:/root/rules.yml",
    "--extra-vars=validate_timeout=2",
    "--extra-vars=validate_boundary=true",
    "--extra-vars=validate_boundary_max_side=48",
    "--extra-vars=validate_boundary_quick=true",
)
UP_TO_40 = "--extra-vars=validate_max_side=40"
ALL = len(smoke_cases())
BLAS = "libopenblas0-pthread"


@pytest.fixture(scope="module", autouse=True)
def fast_products(provisioned: Provisioned) -> Iterator[None]:
    """Install OpenBLAS meanwhile: with the reference BLAS the largest products take a minute."""
    provisioned.box.run("apt-get", "-qq", "install", "--no-install-recommends", BLAS)
    yield
    provisioned.box.run("dpkg", "--purge", BLAS)


def rules(box: Box, text: str) -> None:
    """Simulate a card by these rules from now on."""
    box.run("sh", "-c", f"printf '%s\\n' {shlex.quote(text)} > /root/rules.yml")


def envelope(box: Box) -> Any:
    """The envelope on the box."""
    return json.loads(box.run("cat", ENVELOPE))


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


def test_a_limit_below_the_documented_one_is_a_warning(box: Box) -> None:
    # Unlike a hang, a wrong result costs no worker.
    rules(box, '- {when: "max(h, w) > 41", outcome: wrong}')
    played = box.play(*SIMULATED, UP_TO_40, playbook=VALIDATE)
    assert played.returncode == 0, played.stdout
    said = " ".join((played.stdout + played.stderr).split())
    assert "WARNING" in said
    assert "the measured limit, 41 pixels, is below the one documented for rocm-5.7" in said
    assert envelope(box)["max_side"] == 41


def test_a_changed_machine_is_measured_again_and_the_same_limit_is_no_change(box: Box) -> None:
    before = box.run("cat", ENVELOPE)
    box.run("sh", "-c", "echo '# mine' >> /etc/environment")
    again = "--extra-vars=validate_again=false"
    played = box.play(*SIMULATED, UP_TO_40, again, playbook=VALIDATE)
    box.run("sed", "-i", "$d", "/etc/environment")
    assert played.returncode == 0, played.stdout
    assert "changed=0" in played.stdout
    assert box.run("cat", ENVELOPE) == before
    printed = " ".join(played.stdout.split())
    count = len(smoke_cases(40))
    assert f"pass ({count} of {count} convolutions passed" in printed
    assert "nothing was changed since" not in printed


def test_no_limit_is_said_plainly(box: Box) -> None:
    rules(box, '- {when: "h > 9999", outcome: hang}')
    # Nothing hangs, and products take seconds where other tests compute, too.
    routes = '--extra-vars={"validate_boundary_routes": ["matmul"], "validate_timeout": 60}'
    played = box.play(*SIMULATED, UP_TO_40, routes, playbook=VALIDATE)
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
