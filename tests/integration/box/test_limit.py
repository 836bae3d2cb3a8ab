"""The limit that the play measures on a box, and the envelope that it leaves there.

The box is made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from support.boxes import Box, remove_box, start_box

ENVELOPE = "/etc/rdna1/envelope.json"
VALIDATE = "playbooks/validate.yml"
SIMULATED = (
    "--extra-vars=validate_device=sim:/root/rules.yml",
    "--extra-vars=validate_timeout=2",
    "--extra-vars=validate_boundary_max_side=64",
)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box after site.yml, which has no GPU."""
    name = f"rdna1-test-{os.getpid()}-limit"
    try:
        box = start_box(name, tmp_path_factory.mktemp("box"), [])
        box.run("apt-get", "-qq", "update")
        played = box.play()
        assert played.returncode == 0, played.stdout
        assert "limit       documented for rocm-5.7: 42 pixels" in played.stdout
        assert "not measured, as there is no GPU" in " ".join(played.stdout.split())
        yield box
    finally:
        remove_box(name)


def rules(box: Box, text: str) -> None:
    """Simulate a card by these rules from now on."""
    box.run("sh", "-c", f"printf '%s\\n' {shlex.quote(text)} > /root/rules.yml")


def envelope(box: Box) -> Any:
    """The envelope on the box."""
    return json.loads(box.run("cat", ENVELOPE))


def test_without_a_gpu_the_documented_limit_is_written(box: Box) -> None:
    written = envelope(box)
    assert (written["source"], written["max_side"]) == ("stack", 42)
    assert written["max_workspace_bytes"] == 1016064
    assert box.run("stat", "-c", "%U %G %a", ENVELOPE) == "root root 644\n"


def test_a_measurement_that_passed_is_told_again_until_something_changes(box: Box) -> None:
    again = box.play()
    assert again.returncode == 0, again.stdout
    told = " ".join(again.stdout.split())
    assert "nothing was changed since (validate_again=true measures again)" in told
    assert "pass (30 of 30 convolutions passed" in told
    box.run("sh", "-c", "echo '# mine' >> /etc/environment")
    changed = box.play()
    assert changed.returncode == 0, changed.stdout
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
    played = box.play(*SIMULATED, playbook=VALIDATE)
    assert played.returncode == 0, played.stdout
    said = " ".join(played.stdout.split())
    assert "NO LIMIT up to 64 pixels" in said
    assert "everything beyond the documented 42 pixels" in said
    assert (envelope(box)["max_side"], envelope(box)["max_workspace_bytes"]) == (None, None)


def test_where_nothing_passes_there_is_no_envelope(box: Box) -> None:
    rules(box, '- {when: "h > 0", outcome: wrong}')
    played = box.play(*SIMULATED, playbook=VALIDATE)
    assert played.returncode != 0
    assert "the validation failed" in played.stdout
    assert box.run("find", "/etc/rdna1", "-name", "envelope.json") == ""
