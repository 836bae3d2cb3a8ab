"""ROCm 5.2 of AMD's repository on boxes that imitate Ubuntu 20.04 and 22.04.

Both boxes are made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from support.box_fleet import play_together
from support.box_state import State, difference, state
from support.boxes import Box, remove_box
from support.foreign_packages import (
    assert_amd_replaced_its_own,
    install_foreign,
    publish_foreign,
    upgraded,
)
from support.ubuntu_like import (
    IGNORED,
    ROCM_5_2,
    Archives,
    archives,
    real_image,
    start_ubuntu_like,
)

STACK = "rocm-5.2"
PROFILE = "/etc/profile.d/rocm-rdna1-52.sh"
ALL = ["tools", "runtime", "sdk", "libraries"]
TAGS = "--tags=rocm,environment"


@dataclass(frozen=True)
class Machine:
    """A box, the archives, and its state before anything was installed."""

    box: Box
    served: Archives
    before: State

    def play(self, **variables: object) -> subprocess.CompletedProcess[str]:
        """Install ROCm and write the profile script."""
        return self.box.play(TAGS, f"--extra-vars={json.dumps(self.given(**variables))}")

    def given(self, **variables: object) -> dict[str, object]:
        """What such a run needs."""
        return {
            **self.served.variables,
            "rdna1_stack": STACK,
            "rdna1_rocm_source": "amd",
            "rdna1_users": ["ada"],
            # Its glibc is Debian's, too new for the wheels, which are left out here.
            "preflight_ignore": [*IGNORED, "glibc"],
            **variables,
        }

    def findings(self) -> dict[str, str]:
        """The status of each check of the last preflight."""
        report = json.loads((self.box.reports / "preflight.json").read_text())
        return {check["id"]: check["status"] for check in report["checks"]}

    def installed(self) -> set[str]:
        """Names of all packages."""
        return set(self.box.run("dpkg-query", "-W", "-f", "${Package}\n").split())


class Machines(NamedTuple):
    """Two that take themselves for Ubuntu 20.04 and 22.04, in one folder."""

    focal: Machine
    jammy: Machine
    folder: Path


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Boxes with a user, and with packages that are none of AMD's."""
    folder = tmp_path_factory.mktemp("rocm-52")
    (folder / "archives").mkdir()
    with archives(folder / "archives", STACK) as served, ExitStack() as boxes:
        yield Machines(
            boxes.enter_context(machine("20.04", served, folder)),
            boxes.enter_context(machine("22.04", served, folder)),
            folder,
        )


@contextmanager
def machine(version: str, served: Archives, folder: Path) -> Iterator[Machine]:
    name = f"rdna1-test-{os.getpid()}-rocm-52-on-{version}"
    try:
        mounted = [publish_foreign(served, STACK, version)]
        box = start_ubuntu_like(name, folder, version, served, mounted)
        box.run("useradd", "--create-home", "ada")
        if not real_image(version):
            install_foreign(box)
        yield Machine(box, served, state(box))
    finally:
        remove_box(name)


@pytest.fixture
def focal(machines: Machines) -> Machine:
    return machines.focal


def test_each_release_gets_what_amd_has_for_it(machines: Machines) -> None:
    focal, jammy = machines.focal, machines.jammy
    own = {focal.box.name: focal.given(rocm_packages=ALL), jammy.box.name: jammy.given()}
    played = play_together([focal.box, jammy.box], machines.folder, TAGS, own=own)
    assert played.returncode == 0, played.stdout


def test_every_purpose_is_installed_on_ubuntu_20_04(focal: Machine) -> None:
    wanted = {"rocminfo", "rocm-smi-lib", "hip-runtime-amd", "hip-dev", "rocm-llvm", "miopen-hip"}
    assert wanted | {"libtinfo5", "libstdc++-7-dev"} <= focal.installed()
    assert not {"rocm-gdb", "rocm-dev", "amdgpu-dkms"} & focal.installed()
    source = focal.box.run("cat", "/etc/apt/sources.list.d/rocm.sources")
    assert f"URIs: {focal.served.address}/{ROCM_5_2}\nSuites: focal\n" in source


def test_the_tools_alone_are_installed_on_ubuntu_22_04(machines: Machines) -> None:
    assert {"rocminfo", "rocm-smi-lib"} <= machines.jammy.installed()
    assert not {"hip-runtime-amd", "rocm-llvm"} & machines.jammy.installed()


def test_the_profile_script_is_that_of_5_2_and_sets_no_library_path(focal: Machine) -> None:
    scripts = focal.box.run("ls", "/etc/profile.d").split()
    assert [name for name in scripts if "rdna1" in name] == [Path(PROFILE).name]
    script = focal.box.run("cat", PROFILE)
    assert "export HSA_OVERRIDE_GFX_VERSION=10.3.0\n" in script
    # The wheel of this age would take the system's libraries in place of its own.
    assert "LD_LIBRARY_PATH" not in script
    sourced = focal.box.run("env", "-i", "sh", "-euc", f". {PROFILE}; env")
    assert "HSA_" not in sourced, "the box has no card"


@pytest.mark.skipif(bool(real_image("20.04")), reason="adds packages to the distribution's archive")
def test_amds_archive_replaces_nothing_but_its_own(focal: Machine) -> None:
    assert_amd_replaced_its_own(upgraded(focal.box), STACK)


def test_the_second_run_changes_nothing_and_knows_the_named_key(focal: Machine) -> None:
    played = focal.play(rocm_packages=ALL)
    assert played.returncode == 0, played.stdout
    assert "changed=0" in played.stdout
    assessed = focal.findings()
    for check in ("amd-key", "amd-signature", "amd-source", "amd-suite", "rocm-mixture"):
        assert assessed[check] == "pass", check


def test_rollback_leaves_no_difference(focal: Machine) -> None:
    undone = focal.box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    assert difference(focal.before, state(focal.box)) == {}
