"""ROCm 5.2 of AMD's repository on boxes that imitate Ubuntu 20.04 and 22.04.

Both boxes are made once for this module; the tests of each run in the order of the file.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.box_state import State, difference, state
from support.boxes import Box, remove_box
from support.ubuntu_like import IGNORED, ROCM_5_2, Archives, archives, start_ubuntu_like

PROFILE = "/etc/profile.d/rocm-rdna1-52.sh"
ALL = ["tools", "runtime", "sdk", "libraries"]


@dataclass(frozen=True)
class Machine:
    """A box, the archives, and its state before anything was installed."""

    box: Box
    served: Archives
    before: State

    def play(self, **variables: object) -> subprocess.CompletedProcess[str]:
        """Install ROCm and write the profile script."""
        given = {
            **self.served.variables,
            "rdna1_stack": "rocm-5.2",
            "rdna1_rocm_source": "amd",
            "rdna1_users": ["ada"],
            # Its glibc is Debian's, too new for the wheels, which are left out here.
            "preflight_ignore": [*IGNORED, "glibc"],
            **variables,
        }
        return self.box.play("--tags=rocm,environment", f"--extra-vars={json.dumps(given)}")

    def findings(self) -> dict[str, str]:
        """The status of each check of the last preflight."""
        report = json.loads((self.box.reports / "preflight.json").read_text())
        return {check["id"]: check["status"] for check in report["checks"]}

    @property
    def packages(self) -> set[str]:
        """Those that were installed before."""
        return {line.split()[1].partition(":")[0] for line in self.before["packages"]}

    def installed(self) -> set[str]:
        """Names of all packages."""
        return set(self.box.run("dpkg-query", "-W", "-f", "${Package}\n").split())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archives]:
    with archives(tmp_path_factory.mktemp("archives"), "rocm-5.2") as built:
        yield built


@pytest.fixture(scope="module")
def focal(served: Archives, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Takes itself for Ubuntu 20.04."""
    yield from machine("20.04", served, tmp_path_factory.mktemp("focal"))


@pytest.fixture(scope="module")
def jammy(served: Archives, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Takes itself for Ubuntu 22.04."""
    yield from machine("22.04", served, tmp_path_factory.mktemp("jammy"))


def machine(version: str, served: Archives, folder: Path) -> Iterator[Machine]:
    name = f"rdna1-test-{os.getpid()}-rocm-52-on-{version}"
    try:
        box = start_ubuntu_like(name, folder, version, served)
        box.run("useradd", "--create-home", "ada")
        yield Machine(box, served, state(box))
    finally:
        remove_box(name)


def test_every_purpose_is_installed_on_ubuntu_20_04(focal: Machine) -> None:
    played = focal.play(rocm_packages=ALL)
    assert played.returncode == 0, played.stdout
    wanted = {"rocminfo", "rocm-smi-lib", "hip-runtime-amd", "hip-dev", "rocm-llvm", "miopen-hip"}
    assert wanted | {"libtinfo5", "libstdc++-7-dev"} <= focal.installed()
    assert not {"rocm-gdb", "rocm-dev", "amdgpu-dkms"} & focal.installed()
    source = focal.box.run("cat", "/etc/apt/sources.list.d/rocm.sources")
    assert f"URIs: {focal.served.address}/{ROCM_5_2}\nSuites: focal\n" in source


def test_the_profile_script_is_that_of_5_2_and_sets_no_library_path(focal: Machine) -> None:
    scripts = focal.box.run("ls", "/etc/profile.d").split()
    assert [name for name in scripts if "rdna1" in name] == [Path(PROFILE).name]
    script = focal.box.run("cat", PROFILE)
    assert "export HSA_OVERRIDE_GFX_VERSION=10.3.0\n" in script
    # The wheel of this age would take the system's libraries in place of its own.
    assert "LD_LIBRARY_PATH" not in script
    sourced = focal.box.run("env", "-i", "sh", "-euc", f". {PROFILE}; env")
    assert "HSA_" not in sourced, "the box has no card"


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


def test_the_runtime_is_refused_on_ubuntu_22_04_with_the_reason(jammy: Machine) -> None:
    played = jammy.play(rocm_packages=["tools", "runtime"])
    assert played.returncode != 0
    said = " ".join(played.stdout.split())
    assert "has no packages for runtime on ubuntu 22.04. The HIP runtime needs rocm-llvm" in said
    assert "libstdc++-5-dev or libstdc++-7-dev" in said
    assert "Remedy: choose from tools in rocm_packages" in said
    assert jammy.installed() == jammy.packages


def test_the_tools_are_installed_on_ubuntu_22_04(jammy: Machine) -> None:
    played = jammy.play()
    assert played.returncode == 0, played.stdout
    assert {"rocminfo", "rocm-smi-lib"} <= jammy.installed()
    assert not {"hip-runtime-amd", "rocm-llvm"} & jammy.installed()
