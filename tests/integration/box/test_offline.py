"""A mirror, collected on a connected box, and what a box without a network refuses to take of it.

The packages of ROCm are Debian's own, with Debian's signatures. The stack's wheels are fakes,
those that rdna1 imports are real. The mirror is made once for this module. The Molecule scenario
offline shows the installation from one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.boxes import Box, remove_box, start_box
from support.wheel_boxes import (
    HOST_PYTHONS,
    IGNORED,
    OWN_REQUIREMENTS,
    add_own_requirements,
    fill_index,
    mount_host_python,
)
from support.wheels import serve

PYTHON = HOST_PYTHONS["rocm-5.7"]
TAGS = "--tags=rocm,pytorch"


def variables(**given: object) -> str:
    """Options for a run of the playbooks."""
    return "--extra-vars=" + json.dumps(
        {"rdna1_pytorch_source": "index", "preflight_ignore": IGNORED, **given}
    )


def said(played: subprocess.CompletedProcess[str]) -> str:
    """What a run printed, without its line breaks."""
    return " ".join(played.stdout.split())


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A mirror of rocm-5.7 for Debian 13, collected on a box that goes away."""
    folder = tmp_path_factory.mktemp("connected")
    fill_index(folder / "index")
    add_own_requirements(folder / "index", PYTHON)
    name = f"rdna1-test-{os.getpid()}-connected"
    destination = folder / "mirror"
    try:
        box = mount_host_python(lambda *o: start_box(name, folder, o), PYTHON)
        before = box.run("find", "/etc", "/var/lib/apt", "/var/lib/dpkg", "-newer", "/proc/1/stat")
        with serve(folder / "index") as index:
            played = box.play(
                variables(
                    mirror_destination=str(destination),
                    mirror_archive=True,
                    pytorch_index_url=index,
                    pytorch_project_index_url=index,
                ),
                playbook="playbooks/mirror.yml",
            )
        assert played.returncode == 0, played.stdout
        after = box.run("find", "/etc", "/var/lib/apt", "/var/lib/dpkg", "-newer", "/proc/1/stat")
        assert after == before, "the collecting machine is left as it was"
    finally:
        remove_box(name)
    yield destination


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Box]:
    """A box without any network."""
    name = f"rdna1-test-{os.getpid()}-offline"
    try:
        box = mount_host_python(lambda *o: start_box(name, tmp_path, o), PYTHON, "--network=none")
        assert box.run("ls", "/sys/class/net").split() == ["lo"]
        yield box
    finally:
        remove_box(name)


def test_the_manifest_describes_what_was_collected(mirror: Path) -> None:
    manifest = json.loads((mirror / "manifest.json").read_text())
    assert [manifest[key] for key in ("schema_version", "stack", "os", "version")] == [
        1,
        "rocm-5.7",
        "debian",
        "13",
    ]
    names = {Path(file["path"]).name.partition("_")[0] for file in manifest["files"]}
    # What they need in the end as well, so that it does not matter what a machine has.
    assert {"libamdhip64-5", "rocminfo", "rocm-smi", "libamd-comgr2", "libc6"} <= names
    paths = [file["path"] for file in manifest["files"]]
    assert any(path.endswith("/dists/trixie/InRelease") for path in paths)
    assert not any(path.startswith("keys/") for path in paths), "a machine has Debian's key"
    assert any(path.startswith("wheels/torch-2.2.2+rocm5.7") for path in paths)
    projects = {Path(path).name.partition("-")[0].lower() for path in paths}
    assert {name.lower() for name in OWN_REQUIREMENTS} <= projects
    assert mirror.with_name("mirror.tar").stat().st_size > sum(f["size"] for f in manifest["files"])


def test_a_mirror_of_another_stack_is_refused(mirror: Path, offline: Box) -> None:
    packed = mirror.with_name("mirror.tar")
    played = offline.play(TAGS, variables(rdna1_mirror=str(packed), rdna1_stack="therock"))
    assert played.returncode != 0
    assert "is a mirror for rocm-5.7 on debian 13, and this is therock on debian 13" in said(played)
    assert "Remedy: name the mirror for therock on debian 13" in said(played)
    assert offline.run("find", "/var/cache", "/opt", "-path", "*rdna1*") == ""


def test_a_file_that_the_manifest_does_not_name_and_another_manifest_are_refused(
    mirror: Path, offline: Box, tmp_path: Path
) -> None:
    """As a source of apt, one that is trusted without a key, it would have the next word."""
    packed, digest = mirror.with_name("mirror.tar"), "0" * 64
    played = offline.play(TAGS, variables(rdna1_mirror=str(packed), offline_manifest_sha256=digest))
    assert f"offline_manifest_sha256 asks for '{digest}'" in said(played)
    crafted = shutil.copy(packed, tmp_path)
    (tmp_path / "evil.sources").write_text(
        "Types: deb\nURIs: http://h/\nSuites: ./\nTrusted: yes\n"
    )
    with tarfile.open(crafted, "a") as tar:
        tar.add(tmp_path / "evil.sources", "sources/evil.sources")
    refused = offline.play(TAGS, variables(rdna1_mirror=str(crafted)))
    assert "'sources/evil.sources' is not in the manifest" in said(refused)
    assert played.returncode != 0
    assert refused.returncode != 0
    assert offline.run("find", "/var/cache", "/opt", "-path", "*rdna1*") == ""


def test_a_damaged_file_is_named(mirror: Path, offline: Box, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(mirror, damaged)
    package = next(damaged.rglob("rocminfo_*.deb"))
    data = bytearray(package.read_bytes())
    data[len(data) // 2] ^= 1
    package.write_bytes(data)
    played = offline.play(TAGS, variables(rdna1_mirror=str(damaged)))
    assert played.returncode != 0
    assert f"{package.relative_to(damaged)} is not what was collected" in said(played)
    assert "Remedy: copy the mirror again" in said(played)
    assert offline.run("find", "/var/cache", "/opt", "-path", "*rdna1*") == ""
