"""A mirror with the distribution's PyTorch, and the whole job from it on a box without a network.

Packages and signatures are Debian's own, the convolutions are real; only py3compile is a fake.
Mirror and box are made once for this module; its tests run in the order of the file. What the
boxes' image has already is not in the mirror, as tests of other mirrors have that.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.box_fleet import play_refused
from support.boxes import Box, remove_box, start_box, without_compiling
from support.wheel_boxes import IGNORED

# What rdna1 imports and python3-torch does not need.
OWN = {
    "python3-distro",
    "python3-msgspec",
    "python3-packaging",
    "python3-rich",
    "python3-yaml",
}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A mirror of rocm-5.7 with Debian's PyTorch, collected on a box that goes away."""
    folder = tmp_path_factory.mktemp("connected")
    name = f"rdna1-test-{os.getpid()}-distro-connected"
    given = {"mirror_destination": str(folder / "mirror"), "mirror_complete": False}
    try:
        box = start_box(name, folder, [])
        played = box.play(f"--extra-vars={json.dumps(given)}", playbook="playbooks/mirror.yml")
        assert played.returncode == 0, played.stdout
    finally:
        remove_box(name)
    yield folder / "mirror"


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box without any network."""
    name = f"rdna1-test-{os.getpid()}-distro-offline"
    try:
        folder = tmp_path_factory.mktemp("offline")
        box = start_box(name, folder, ["--network=none", *without_compiling(folder)])
        assert box.run("ls", "/sys/class/net").split() == ["lo"]
        yield box
    finally:
        remove_box(name)


def play(box: Box, mirror: Path, **given: object) -> subprocess.CompletedProcess[str]:
    return box.play("--extra-vars=" + json.dumps({"rdna1_mirror": str(mirror), **given}))


def test_the_mirror_has_debians_pytorch_and_what_rdna1_imports(mirror: Path) -> None:
    manifest = json.loads((mirror / "manifest.json").read_text())
    assert manifest["pytorch_source"] == "distro"
    names = {Path(file["path"]).name.partition("_")[0] for file in manifest["files"]}
    assert {"rocminfo", "python3-torch", *OWN} <= {*manifest["packages"]} & names


def test_a_mirror_of_something_else_is_refused_before_any_change(
    mirror: Path, offline: Box
) -> None:
    shared = {"rdna1_mirror": str(mirror), "preflight_ignore": IGNORED}
    text = play_refused(
        offline,
        {
            "other-source": {**shared, "rdna1_pytorch_source": "index"},
            "more-packages": {**shared, "rocm_packages": ["tools", "libraries"]},
        },
    )
    assert "and this machine is to use distro, index and ''. Remedy: " in text
    collect_again = "Remedy: collect it again with the same rocm_"
    assert f"was collected without librocblas0. {collect_again}" in text
    assert offline.run("find", "/var/cache", "/opt", "-path", "*rdna1*") == ""


def test_the_whole_job_is_done_without_a_network(mirror: Path, offline: Box) -> None:
    played = play(offline, mirror)
    assert played.returncode == 0, played.stdout
    report = json.loads((offline.reports / "report.json").read_text())
    assert report["packages"]["libamdhip64-5"].startswith("5.7.1")
    assert report["validation"]["verdict"] == "pass"
    torch = "import torch; print(torch.__file__)"
    found = offline.run("/opt/rdna1/rocm-5.7/bin/python", "-c", torch)
    assert found.startswith("/usr/lib/python3/dist-packages/"), "Debian's own"


def test_the_second_run_changes_nothing(mirror: Path, offline: Box) -> None:
    played = play(offline, mirror)
    assert played.returncode == 0, played.stdout
    assert "changed=0" in played.stdout
