"""ROCm of AMD's repository on a box that stands in for Ubuntu 24.04, whose own ROCm competes.

The box is made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.apt_repository import package_file, publish, stand_ins
from support.boxes import remove_box
from support.ubuntu_like import AmdBox, archives, real_image, start_ubuntu_like

NEEDED = ("libtinfo-dev", "libstdc++-11-dev")
stand_in_only = pytest.mark.skipif(
    bool(real_image("24.04")), reason="takes packages out of the archive, which is Ubuntu's own"
)


@pytest.fixture(scope="module")
def noble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AmdBox]:
    """A box that takes itself for Ubuntu 24.04."""
    name = f"rdna1-test-{os.getpid()}-noble"
    folder = tmp_path_factory.mktemp("noble")
    with archives(folder) as served:
        try:
            yield AmdBox(start_ubuntu_like(name, folder, "24.04", served), served)
        finally:
            remove_box(name)


def files(noble: AmdBox) -> str:
    """Names of all files that the roles could have written."""
    return noble.box.run("find", "/etc", "/opt", "/usr/local", "/var/lib/dpkg", "-printf", "%p\n")


def test_rocm_5_2_is_refused_before_any_change(noble: AmdBox) -> None:
    before = files(noble)
    played = noble.play(rdna1_stack="rocm-5.2", rdna1_rocm_source="amd")
    assert played.returncode != 0
    for word in ("libtinfo5", "libncurses5", "libstdc++-5-dev", "glibc is 2.39", "rocm-5.7"):
        assert word in played.stdout
    assert "changed=0" in played.stdout
    assert files(noble) == before


def test_amds_own_driver_is_refused_with_the_reason(noble: AmdBox) -> None:
    played = noble.play(rdna1_rocm_source="amd", rocm_dkms=True)
    assert played.returncode != 0
    assert "not known to build on ubuntu 24.04" in played.stdout
    assert "the kernel's own driver serves the card" in " ".join(played.stdout.split())


def test_a_dry_run_changes_nothing(noble: AmdBox) -> None:
    before = files(noble)
    played = noble.play("--check", "--diff", rdna1_rocm_source="amd")
    assert played.returncode == 0, played.stdout
    assert "+Suites: jammy" in played.stdout
    assert files(noble) == before


@stand_in_only
def test_what_cannot_be_installed_is_explained_package_by_package(noble: AmdBox) -> None:
    archive = noble.served.folder / "ubuntu-24.04"
    for name in NEEDED:
        package_file(archive, name).unlink()
    publish(archive, "noble", [], noble.served.key, origin="Ubuntu")
    played = noble.play(rdna1_rocm_source="amd")
    publish(archive, "noble", stand_ins("ubuntu-24.04"), noble.served.key, origin="Ubuntu")
    assert played.returncode != 0
    assert "comgr : Depends: libtinfo-dev but it is not installable" in played.stdout
    assert "rocm-llvm : Depends: libstdc++-5-dev but it is not installable" in played.stdout
    assert "rocm_source distro or none" in " ".join(played.stdout.split())
    assert "Sub-process" not in played.stdout
    assert "rocminfo" not in noble.box.run("dpkg-query", "-W", "-f", "${Package}\n")


def test_every_purpose_comes_from_amd_although_ubuntus_rocminfo_is_newer(noble: AmdBox) -> None:
    # After the failure above the lists of the archive are fresh, and yet out of date.
    noble.box.run("apt-get", "-qq", "update")
    purposes = ["tools", "runtime", "sdk", "libraries"]
    played = noble.play(rdna1_rocm_source="amd", rocm_packages=purposes)
    assert played.returncode == 0, played.stdout
    installed = noble.box.run("dpkg-query", "-W").split()
    assert {"rocm-smi-lib", "hip-runtime-amd", "hipcc", "miopen-hip"} <= set(installed)
    assert not {"rocm-gdb", "rocm-dev", "amdgpu-dkms", "libhsa-runtime64-1"} & set(installed)
    policy = noble.box.run("apt-cache", "policy", "rocminfo")
    assert "Installed: 1.0.0.50701-98~22.04" in policy
    assert "5.7.1-3build1 500" in policy, "Ubuntu's newer one is still there to choose"


def test_the_second_run_changes_nothing(noble: AmdBox) -> None:
    purposes = ["tools", "runtime", "sdk", "libraries"]
    played = noble.play(rdna1_rocm_source="amd", rocm_packages=purposes)
    assert played.returncode == 0, played.stdout
    assert "changed=0" in played.stdout
