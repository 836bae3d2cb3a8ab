"""AMD's own driver on a box that imitates Ubuntu 22.04, and the way back from all of it.

The box is made once for this module; its tests run in the order of the file. The Molecule scenario
amd-jammy shows what the role does without the driver.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.boxes import ROOT, Box, remove_box
from support.ubuntu_like import AmdBox, Archives, archives, start_ubuntu_like

# Synthetic, as its README says: a box has no card and no kernel of its own.
FIXTURE = ROOT / "tests" / "fixtures" / "ubuntu-22.04-rx5500xt"
# The user is one of the box.
MACHINE: dict[str, object] = {"preflight_root": "/srv/machine", "preflight_users": []}
OLD_LINE = "deb [arch=amd64] https://repo.radeon.com/rocm/apt/5.2 ubuntu main\n"
# The user's own line stands next to AMD's.
SOURCES_LIST = f"# mine\n{OLD_LINE}"


class Jammy(NamedTuple):
    """The box, a tree of files that can stand for its machine, the archives, the state before."""

    box: Box
    machine: Path
    served: Archives
    before: dict[str, set[str]]

    def play(self, *options: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run the role rocm, with a user who gets access to the card."""
        return AmdBox(self.box, self.served).play(*options, rdna1_users=["ada"], **variables)


def state(box: Box) -> dict[str, set[str]]:
    """Packages, files of apt with contents and rights, and the user's groups."""
    hashed = "find /etc/apt -type f -exec sha256sum {} +"
    folders = ("/etc/apt", "/var/lib")
    depth = ("-maxdepth", "2", "-not", "-path", "/var/lib/*/*")
    return {
        "packages": set(box.run("dpkg-query", "-W").splitlines()),
        "contents": set(box.run("sh", "-c", hashed).splitlines()),
        "rights": set(box.run("find", *folders, *depth, "-printf", "%p %m %u\n").splitlines()),
        "user": {box.run("id", "ada")},
    }


@pytest.fixture(scope="module")
def jammy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jammy]:
    """A box with ROCm where an older script had left a one-line source and a key for all of apt."""
    name = f"rdna1-test-{os.getpid()}-jammy"
    folder = tmp_path_factory.mktemp("jammy")
    (folder / "archives").mkdir()
    with archives(folder / "archives") as served:
        try:
            shutil.copytree(FIXTURE, folder / "machine", symlinks=True)
            machine = [f"--volume={folder / 'machine'}:/srv/machine:ro"]
            box = start_ubuntu_like(name, folder, "22.04", served, machine)
            box.run("useradd", "ada")
            box.run("sh", "-c", f"echo '{OLD_LINE}' > /etc/apt/sources.list.d/rocm.list")
            box.run("sh", "-c", f"printf '%s' '{SOURCES_LIST}' > /etc/apt/sources.list")
            box.run("cp", "/usr/share/keyrings/stand-in.asc", "/etc/apt/trusted.gpg.d/rocm.asc")
            made = Jammy(box, folder / "machine", served, state(box))
            played = made.play()
            assert played.returncode == 0, played.stdout
            yield made
        finally:
            remove_box(name)


def test_amds_own_driver_is_refused_on_other_kernels(jammy: Jammy) -> None:
    played = jammy.play(**MACHINE, rocm_dkms=True)
    assert played.returncode != 0
    text = " ".join(played.stdout.split())
    assert "is for the kernels 5.19 to 6.2, and 5.15.0-122-generic runs" in text
    assert "leave rocm_dkms out" in text


def test_a_driver_that_is_not_loaded_is_at_the_next_boot(jammy: Jammy) -> None:
    shutil.rmtree(jammy.machine / "sys" / "module" / "amdgpu")
    (jammy.machine / "proc" / "sys" / "kernel" / "osrelease").write_text("6.2.0-39-generic\n")
    played = jammy.play("--verbose", **MACHINE, rocm_dkms=True)
    assert played.returncode == 0, played.stdout
    assert "rocm_reboot_required: true" in played.stdout
    assert jammy.box.run("cat", "/etc/modules-load.d/rdna1-amdgpu.conf") == "amdgpu\n"
    installed = jammy.box.run("dpkg-query", "-W").split()
    assert {"amdgpu-dkms", "linux-headers-6.2.0-39-generic"} <= set(installed)


def test_rollback_leaves_no_difference(jammy: Jammy) -> None:
    undone = jammy.box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    after = state(jammy.box)
    assert {name: after[name] ^ jammy.before[name] for name in after} == {
        name: set() for name in after
    }
