"""ROCm's source changes on a box that imitates Ubuntu 24.04, where both sources compete.

Before that, what AMD's repository and the stack rocm-5.2 cannot give to it. The box is made once
for this module; its tests run in the order of the file. The Molecule scenarios amd-noble and switch
show what goes well.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from support.apt_repository import package_file, publish
from support.box_state import State, difference, state
from support.boxes import remove_box
from support.foreign_packages import (
    assert_amd_replaced_its_own,
    install_foreign,
    publish_foreign,
    upgraded,
)
from support.switched import KEYRING, PIN, SOURCE
from support.ubuntu_like import AmdBox, archives, real_image, start_ubuntu_like

OF_AMD = "1.0.0.50701-98~22.04"
OF_UBUNTU = "5.7.1-3build1"
NEEDED = ("libtinfo-dev", "libstdc++-11-dev")
OF_ROCM_5_2 = ("libtinfo5", "libncurses5", "libstdc++-5-dev", "libstdc++-7-dev", "glibc is 2.39")
fake_archive_only = pytest.mark.skipif(
    bool(real_image("24.04")), reason="changes the distribution's archive, which is Ubuntu's own"
)

OWNERS_PACKAGE = """
mkdir -p /srv/mine/DEBIAN
cat > /srv/mine/DEBIAN/control <<END
Package: mine
Version: 1
Architecture: all
Maintainer: me
Description: mine
Depends: rocminfo
END
dpkg-deb --build /srv/mine /srv/mine.deb
dpkg --install /srv/mine.deb
"""


class Noble(NamedTuple):
    """The box, and its state before."""

    amd: AmdBox
    before: State

    def play(
        self, source: str, *options: str, **variables: object
    ) -> subprocess.CompletedProcess[str]:
        """Take ROCm from a source."""
        return self.amd.play(*options, rdna1_rocm_source=source, **variables)

    def switch(self, source: str) -> str:
        """Take ROCm from another source in place of what is there; gives what was printed."""
        played = self.play(source, rdna1_rocm_replace=True)
        assert played.returncode == 0, played.stdout
        return played.stdout

    def rocminfo(self) -> str:
        """Its version, empty where it is not installed."""
        found = self.amd.box.run("dpkg-query", "-W").splitlines()
        return next((li.split()[1] for li in found if li.startswith("rocminfo\t")), "")

    def of_amd(self) -> set[str]:
        """The files of AMD's repository that are there."""
        found = self.amd.box.run("find", "/etc/apt", "-type", "f").split()
        return {SOURCE, PIN, KEYRING} & set(found)


@pytest.fixture(scope="module")
def noble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noble]:
    """A box that takes itself for Ubuntu 24.04."""
    name = f"rdna1-test-{os.getpid()}-sources"
    folder = tmp_path_factory.mktemp("sources")
    with archives(folder) as served:
        try:
            mounted = [publish_foreign(served, "rocm-5.7", "24.04")]
            box = start_ubuntu_like(name, folder, "24.04", served, mounted)
            box.run("useradd", "--create-home", "ada")
            if not real_image("24.04"):
                install_foreign(box)
            yield Noble(AmdBox(box, served), state(box))
        finally:
            remove_box(name)


@fake_archive_only
def test_what_cannot_be_installed_is_explained_package_by_package(noble: Noble) -> None:
    served, box = noble.amd.served, noble.amd.box
    archive = served.folder / "ubuntu-24.04"
    files = [package_file(archive, name) for name in NEEDED]
    kept = {file: file.read_bytes() for file in files}
    for file in files:
        file.unlink()
    publish(archive, "noble", [], served.key, origin="Ubuntu")
    played = noble.play("amd")
    for file, content in kept.items():
        file.write_bytes(content)
    publish(archive, "noble", [], served.key, origin="Ubuntu")
    box.run("apt-get", "-qq", "update")
    assert played.returncode != 0
    assert "comgr : Depends: libtinfo-dev but it is not installable" in played.stdout
    assert "rocm-llvm : Depends: libstdc++-5-dev but it is not installable" in played.stdout
    assert "rocm_source distro or none" in " ".join(played.stdout.split())
    assert "Sub-process" not in played.stdout
    assert "rocminfo" not in box.run("dpkg-query", "-W", "-f", "${Package}\n")


def test_the_distributions_rocm_takes_the_place_of_a_repository_that_did_not_do(
    noble: Noble,
) -> None:
    played = noble.play("distro")
    assert played.returncode == 0, played.stdout
    assert noble.rocminfo() == OF_UBUNTU
    assert noble.of_amd() == set()


def test_a_second_source_and_an_older_stack_are_refused_with_the_reasons(noble: Noble) -> None:
    before = state(noble.amd.box)
    text = noble.amd.refused(
        {
            "second-source": {"rdna1_rocm_source": "amd"},
            "rocm-5.2": {"rdna1_stack": "rocm-5.2", "rdna1_rocm_source": "amd"},
        }
    )
    assert "rdna1_rocm_replace: true" in text
    for reason in OF_ROCM_5_2:
        assert reason in text
    assert "Use the stack rocm-5.7 on this release, or install Ubuntu 22.04" in text
    for name in ("second-source", "rocm-5.2"):
        assert re.search(rf"{name} : ok=\d+ changed=0 unreachable=0 failed=1 ", text), text
    assert difference(before, state(noble.amd.box)) == {}


def test_a_dry_run_of_the_change_changes_nothing(noble: Noble) -> None:
    before = state(noble.amd.box)
    played = noble.play("amd", "--check", "--diff", rdna1_rocm_replace=True)
    assert played.returncode == 0, played.stdout
    assert difference(before, state(noble.amd.box)) == {}


def test_what_other_packages_need_is_not_removed(noble: Noble) -> None:
    noble.amd.box.run("sh", "-euc", OWNERS_PACKAGE)
    refused = noble.play("amd", rdna1_rocm_replace=True)
    assert refused.returncode != 0
    assert "these packages would have to go as well: mine" in " ".join(refused.stdout.split())
    assert noble.rocminfo() == OF_UBUNTU
    noble.amd.box.run("dpkg", "--purge", "mine")
    noble.amd.box.run("rm", "-r", "/srv/mine", "/srv/mine.deb")


def test_from_the_distribution_to_amd(noble: Noble) -> None:
    text = " ".join(noble.switch("amd").split())
    removed = text.partition("ROCm packages of other sources, removed: ")[2].partition("'")[0]
    assert {"libamdhip64-5", "rocm-smi", "rocminfo"} <= set(removed.split(", "))
    assert noble.rocminfo() == OF_AMD
    assert noble.of_amd() == {SOURCE, PIN, KEYRING}


@fake_archive_only
def test_amds_archive_replaces_nothing_but_its_own(noble: Noble) -> None:
    assert_amd_replaced_its_own(upgraded(noble.amd.box), "rocm-5.7")


def test_a_source_a_pin_and_a_package_changed_by_hand_are_put_right(noble: Noble) -> None:
    box = noble.amd.box
    box.run("sed", "-i", "s/^Suites: .*/Suites: focal/", SOURCE)
    box.run("sed", "-i", "s/600/100/", PIN)
    box.run("apt-get", "-qq", "purge", "rocminfo")
    played = noble.play("amd", "--diff")
    assert played.returncode == 0, played.stdout
    assert "-Suites: focal" in played.stdout
    assert "+Suites: jammy" in played.stdout
    assert "+Pin-Priority: 600" in played.stdout
    assert noble.rocminfo() == OF_AMD
    assert "changed=0" in noble.play("amd").stdout


def test_to_none_the_repository_goes_and_the_packages_stay(noble: Noble) -> None:
    played = noble.play("none")
    assert played.returncode == 0, played.stdout
    assert "are not of the source none and stay" in " ".join(played.stdout.split())
    assert noble.of_amd() == set()
    assert noble.rocminfo() == OF_AMD


def test_rollback_leads_back_to_the_first_state(noble: Noble) -> None:
    undone = noble.amd.box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    found = difference(noble.before, state(noble.amd.box))
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}
