"""What AMD's repository cannot give to a box that imitates Ubuntu 24.04.

The box is made once for this module. The Molecule scenario amd-noble shows what it can.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.apt_repository import fake_packages, package_file, publish
from support.boxes import remove_box
from support.ubuntu_like import AmdBox, archives, real_image, start_ubuntu_like

NEEDED = ("libtinfo-dev", "libstdc++-11-dev")
fake_archive_only = pytest.mark.skipif(
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


def test_amds_own_driver_is_refused_with_the_reason(noble: AmdBox) -> None:
    played = noble.play(rdna1_rocm_source="amd", rocm_dkms=True)
    assert played.returncode != 0
    assert "not known to build on ubuntu 24.04" in played.stdout
    assert "the kernel's own driver serves the card" in " ".join(played.stdout.split())


@fake_archive_only
def test_what_cannot_be_installed_is_explained_package_by_package(noble: AmdBox) -> None:
    archive = noble.served.folder / "ubuntu-24.04"
    for name in NEEDED:
        package_file(archive, name).unlink()
    publish(archive, "noble", [], noble.served.key, origin="Ubuntu")
    played = noble.play(rdna1_rocm_source="amd")
    publish(archive, "noble", fake_packages("ubuntu-24.04"), noble.served.key, origin="Ubuntu")
    assert played.returncode != 0
    assert "comgr : Depends: libtinfo-dev but it is not installable" in played.stdout
    assert "rocm-llvm : Depends: libstdc++-5-dev but it is not installable" in played.stdout
    assert "rocm_source distro or none" in " ".join(played.stdout.split())
    assert "Sub-process" not in played.stdout
    assert "rocminfo" not in noble.box.run("dpkg-query", "-W", "-f", "${Package}\n")
