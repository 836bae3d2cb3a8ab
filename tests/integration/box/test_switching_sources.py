"""ROCm's source changes on a box that imitates Ubuntu 24.04, where both sources compete.

The box is made once for this module; its tests run in the order of the file. The Molecule scenario
switch shows the changes that go well.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from support.box_state import State, difference, state
from support.boxes import remove_box
from support.switched import KEYRING, PIN, SOURCE
from support.ubuntu_like import AmdBox, archives, start_ubuntu_like

OF_AMD = "1.0.0.50701-98~22.04"
OF_UBUNTU = "5.7.1-3build1"

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
            box = start_ubuntu_like(name, folder, "24.04", served)
            box.run("useradd", "--create-home", "ada")
            yield Noble(AmdBox(box, served), state(box))
        finally:
            remove_box(name)


def test_amd_next_to_the_distribution_is_refused_until_the_user_says_so(noble: Noble) -> None:
    played = noble.play("distro")
    assert played.returncode == 0, played.stdout
    assert noble.rocminfo() == OF_UBUNTU
    refused = noble.play("amd")
    assert refused.returncode != 0
    assert "rdna1_rocm_replace: true" in " ".join(refused.stdout.split())
    assert "changed=0" in refused.stdout


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
