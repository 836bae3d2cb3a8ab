"""A mirror of AMD's repository, and the installation from it when the repository is gone.

The box imitates Ubuntu 22.04 with an archive of fakes, signatures are real. Debian's
packages, which the fakes need, are not in that archive, so the mirror is one without what the
machine has already.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.box_fleet import play_together, recap
from support.boxes import Box, remove_box
from support.ubuntu_like import IGNORED, archives, real_image, start_ubuntu_like
from support.wheel_boxes import HOST_PYTHONS, add_own_requirements, fill_index, mount_host_python
from support.wheels import serve

PYTHON = HOST_PYTHONS["rocm-5.7"]


@pytest.fixture
def collected(tmp_path: Path) -> Iterator[tuple[Box, dict[str, object]]]:
    """A box, and the variables to install from the mirror; every archive is gone."""
    fill_index(tmp_path / "index")
    add_own_requirements(tmp_path / "index", PYTHON)
    name = f"rdna1-test-{os.getpid()}-jammy-offline"
    mirror = tmp_path / "mirror"
    try:
        with archives(tmp_path / "archives") as served, serve(tmp_path / "index") as index:
            box = mount_host_python(
                lambda *o: start_ubuntu_like(name, tmp_path, "22.04", served, o), PYTHON
            )
            given = {**served.variables, "preflight_ignore": IGNORED}
            collecting = {
                "mirror_destination": str(mirror),
                "mirror_complete": False,
                "pytorch_index_url": index,
                "pytorch_project_index_url": index,
            }
            played = play(box, "playbooks/mirror.yml", given | collecting)
            assert played.returncode == 0, played.stdout
        yield box, {**given, "rdna1_mirror": str(mirror)}
    finally:
        remove_box(name)


def play(
    box: Box, playbook: str, given: dict[str, object], *options: str
) -> subprocess.CompletedProcess[str]:
    return box.play(f"--extra-vars={json.dumps(given)}", *options, playbook=playbook)


@pytest.mark.skipif(bool(real_image("22.04")), reason="its archive cannot go away")
def test_rocm_of_amd_is_installed_when_every_archive_is_gone(
    collected: tuple[Box, dict[str, object]],
) -> None:
    box, given = collected
    without = {name: value for name, value in given.items() if name != "rdna1_mirror"}
    box.run("sh", "-c", "rm -r /var/lib/apt/lists")
    names = {"without-mirror": without, "with-mirror": given}
    played = play_together(
        [Box(name, box.folder) for name in names],
        box.folder,
        "--tags=rocm",
        # One after the other.
        "--forks=1",
        own={name: {"ansible_host": box.name, **given} for name, given in names.items()},
    )
    failed = {name: counts["failed"] for name, counts in recap(played).items()}
    assert failed == {"without-mirror": 1, "with-mirror": 0}, played.stdout
    assert "50701" in box.run("dpkg-query", "-W", "-f", "${Version}", "rocminfo")
    sources = box.run("sh", "-c", "cat /var/cache/rdna1/mirror-*/sources/mirror.sources")
    keys = {line for line in sources.splitlines() if line.startswith("Signed-By")}
    folder = box.run("sh", "-c", "echo /var/cache/rdna1/mirror-*").strip()
    # AMD's by its fingerprint, the archive's as the machine has it.
    assert keys == {
        f"Signed-By: {folder}/rocm.gpg",
        "Signed-By: /usr/share/keyrings/stand-in.asc",
    }
    again = play(box, "site.yml", given, "--tags=rocm")
    assert again.returncode == 0, again.stdout
    assert "changed=0" in again.stdout
