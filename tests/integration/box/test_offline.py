"""A mirror, collected on a connected box, and what a box without a network makes of it.

The packages of ROCm are Debian's own, with Debian's signatures. The stack's wheels are fakes,
those that rdna1 imports are real. The controller has a hard umask, as hardened machines do. Mirror
and box are made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.box_fleet import play_refused
from support.box_state import State, difference, state
from support.boxes import Box, remove_box, start_box
from support.umasks import HARD, umask_of
from support.wheel_boxes import (
    HOST_PYTHONS,
    IGNORED,
    OWN_REQUIREMENTS,
    add_own_requirements,
    fill_index,
    mount_host_python,
    torch_version,
)
from support.wheels import serve

PYTHON = HOST_PYTHONS["rocm-5.7"]
TAGS = "--tags=rocm,pytorch"
ENVIRONMENT = "/opt/rdna1/rocm-5.7"
PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"


def variables(**given: object) -> str:
    """Options for a run of the playbooks."""
    return "--extra-vars=" + json.dumps(
        {"rdna1_pytorch_source": "index", "preflight_ignore": IGNORED, **given}
    )


def install(box: Box, mirror: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Install all but the measurement, which fakes of wheels cannot do."""
    given = variables(rdna1_mirror=str(mirror), rdna1_users=["ada"])
    with umask_of(HARD):
        return box.play("--skip-tags=validate", given, *options)


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
        with serve(folder / "index") as index, umask_of(HARD):
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


class Offline(NamedTuple):
    """A box without any network, and its state before anything was installed."""

    box: Box
    before: State


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offline]:
    """The box, with a user."""
    name = f"rdna1-test-{os.getpid()}-offline"
    folder = tmp_path_factory.mktemp("offline")
    try:
        box = mount_host_python(lambda *o: start_box(name, folder, o), PYTHON, "--network=none")
        assert box.run("ls", "/sys/class/net").split() == ["lo"]
        box.run("useradd", "--create-home", "ada")
        yield Offline(box, state(box))
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


def test_a_dry_run_shows_where_the_mirror_would_be_copied_to(
    mirror: Path, offline: Offline
) -> None:
    planned = install(offline.box, mirror, "--check", "--diff")
    assert planned.returncode == 0, planned.stdout
    assert "/var/cache/rdna1/mirror-" in planned.stdout
    assert offline.box.run("find", "/var/cache", "-name", "rdna1") == ""
    assert difference(offline.before, state(offline.box)) == {}


def test_mirrors_that_are_not_what_was_collected_are_refused(
    mirror: Path, offline: Offline, tmp_path: Path
) -> None:
    packed, digest = mirror.with_name("mirror.tar"), "0" * 64
    # One mirror has one manifest for all machines of a play.
    same = tmp_path / "same.tar"
    same.hardlink_to(packed)
    damaged, package = with_damage(mirror, tmp_path)
    mirrors: dict[str, dict[str, object]] = {
        "other-stack": {"rdna1_mirror": str(packed), "rdna1_stack": "therock"},
        "other-manifest": {"rdna1_mirror": str(same), "offline_manifest_sha256": digest},
        "unnamed-file": {"rdna1_mirror": str(with_a_source(packed, tmp_path))},
        "damaged-file": {"rdna1_mirror": str(damaged)},
    }
    with umask_of(HARD):
        text = play_refused(offline.box, mirrors, TAGS, variables())
    assert "is a mirror for rocm-5.7 on debian 13, and this is therock on debian 13" in text
    assert "Remedy: name the mirror for therock on debian 13" in text
    assert f"offline_manifest_sha256 asks for '{digest}'" in text
    assert "'sources/evil.sources' is not in the manifest" in text
    assert f"{package} is not what was collected" in text
    assert "Remedy: copy the mirror again" in text
    assert offline.box.run("find", "/var/cache", "/opt", "-path", "*rdna1*") == ""


def with_a_source(packed: Path, folder: Path) -> Path:
    """A mirror with a source of apt that is trusted without a key: it would have the next word."""
    crafted = Path(shutil.copy(packed, folder / "crafted.tar"))
    source = folder / "evil.sources"
    source.write_text("Types: deb\nURIs: http://h/\nSuites: ./\nTrusted: yes\n")
    with tarfile.open(crafted, "a") as tar:
        tar.add(source, "sources/evil.sources")
    return crafted


def with_damage(mirror: Path, folder: Path) -> tuple[Path, Path]:
    """A mirror with one bit of one package changed, and the path of the package in it."""
    damaged = folder / "damaged"
    shutil.copytree(mirror, damaged)
    package = next(damaged.rglob("rocminfo_*.deb"))
    data = bytearray(package.read_bytes())
    data[len(data) // 2] ^= 1
    package.write_bytes(data)
    return damaged, package.relative_to(damaged)


def test_the_stack_is_installed_without_a_network(mirror: Path, offline: Offline) -> None:
    played = install(offline.box, mirror)
    assert played.returncode == 0, played.stdout
    box = offline.box
    for package in ("libamdhip64-5", "rocminfo", "rocm-smi"):
        assert box.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", package) == "ii "
    # Debian's own.
    assert box.run("dpkg-query", "-W", "-f", "${Version}", "libamdhip64-5").startswith("5.7.1")
    assert box.run("dpkg", "--audit") == ""
    assert torch_version(box) == "2.2.2+rocm5.7"
    locks = [lock.read_text() for lock in (mirror / "locks").iterdir()]
    assert ["torch==2.2.2+rocm5.7 \\\n    --hash=sha256:" in lock for lock in locks] == [True]


def test_apt_does_not_know_the_mirror_and_one_copy_stays_for_repairs(offline: Offline) -> None:
    assert "rdna1/mirror" not in offline.box.run("sh", "-c", "cat $(find /etc/apt -type f)")
    copies = offline.box.run("ls", "/var/cache/rdna1").split()
    assert len([name for name in copies if name.startswith("mirror-")]) == 1, copies


def test_the_profile_and_the_stack_are_written_down(offline: Offline) -> None:
    assert offline.box.run("stat", "--format=%a", PROFILE).strip() == "644"
    stack = json.loads(offline.box.run("cat", "/etc/rdna1/stack.json"))
    assert (stack["stack"], stack["environment"]) == ("rocm-5.7", ENVIRONMENT)
    assert {"render", "video"} <= set(offline.box.run("id", "-Gn", "ada").split())


@pytest.mark.parametrize("umask", ["022", "077"])
def test_an_ordinary_user_can_use_it(offline: Offline, umask: str) -> None:
    script = f"umask {umask}; . {PROFILE}; python -c 'import torch; print(torch.__version__)'"
    enter = f"PATH={ENVIRONMENT}/bin:$PATH; {script}; rdna1-preflight list"
    printed = offline.box.run("runuser", "-u", "nobody", "--", "sh", "-euc", enter)
    assert printed.startswith("2.2.2+rocm5.7")
    assert "rocm-mixture" in printed


def test_the_second_run_changes_nothing(mirror: Path, offline: Offline) -> None:
    played = install(offline.box, mirror)
    assert played.returncode == 0, played.stdout
    assert "changed=0" in played.stdout
