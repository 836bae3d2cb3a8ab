"""site.yml against a real box: refusals, real failures, and the run after the causes are gone.

The box is made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.box_fleet import play_refused
from support.box_state import difference, state
from support.boxes import ROOT, Box, remove_box, start_box

ROCM = ("--tags=rocm",)
ARCHIVES = "/var/cache/apt/archives"
SOURCES = "/etc/apt/sources.list.d"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box with little room for the archives of packages."""
    name = f"rdna1-test-{os.getpid()}-provisioning"
    try:
        box = start_box(name, tmp_path_factory.mktemp("box"), [f"--tmpfs={ARCHIVES}:size=200m"])
        box.run("mkdir", "-p", f"{ARCHIVES}/partial")
        box.run("useradd", "--create-home", "ada")
        yield box
    finally:
        remove_box(name)


def test_what_is_misspelt_or_impossible_is_refused_before_any_change(box: Box) -> None:
    before = state(box)
    text = play_refused(
        box,
        {
            "unknown-stack": {"rdna1_stack": "rocm-57"},
            "misspelt-variable": {"rdna1_stak": "rocm-5.7"},
            "strict-check": {"preflight_ignore": ["os-release"]},
            "no-root": {"ansible_user": "ada"},
        },
    )
    assert "did you mean rocm-5.7?" in text
    assert "rdna1_stak; did you mean rdna1_stack?" in text
    assert "the check os-release protects the machine: it cannot be ignored" in text
    assert "only root can change this machine" in text
    assert re.search(r"no-root : ok=\d+ changed=0 ", text), text
    assert difference(before, state(box)) == {}


def test_an_inventory_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {hosts: [")
    played = subprocess.run(
        ["ansible-playbook", f"--inventory={inventory}", "site.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode != 0
    assert str(inventory) in played.stdout + played.stderr


def test_a_package_that_apt_does_not_know_is_named(box: Box) -> None:
    # Fresh lists of an archive without the packages: no update is due, and none is found.
    box.run("sh", "-euc", f"mkdir /srv/kept; mv {SOURCES}/* /srv/kept; apt-get -qq update")
    played = box.play(*ROCM)
    box.run("sh", "-euc", f"mv /srv/kept/* {SOURCES}; apt-get -qq update")
    assert played.returncode != 0
    assert "Cause: apt knows no package rocm-smi" in played.stdout


def test_no_network_is_explained(box: Box) -> None:
    proxy = "/etc/apt/apt.conf.d/99proxy"
    box.run("sh", "-c", f"""echo 'Acquire::http::Proxy "http://127.0.0.1:9";' > {proxy}""")
    played = box.play(*ROCM)
    box.run("rm", proxy)
    assert played.returncode != 0
    assert "Cause: a package archive or index cannot be reached" in played.stdout
    assert "It said: E: Failed to fetch http" in played.stdout


def test_a_full_disk_is_explained(box: Box) -> None:
    filler = f"{ARCHIVES}/filler"
    box.run("fallocate", "--length", "195M", filler)
    played = box.play(*ROCM)
    box.run("rm", filler)
    assert played.returncode != 0
    assert "Cause: a disk is full" in played.stdout


def test_the_run_after_all_of_it_finishes_an_interrupted_dpkg_and_completes(box: Box) -> None:
    box.run("apt-get", "-qq", "install", "--download-only", "--yes", "libnuma1")
    box.run("sh", "-c", f"dpkg --unpack {ARCHIVES}/libnuma1_*.deb")
    played = box.play(*ROCM)
    assert played.returncode == 0, played.stdout
    assert box.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "libnuma1") == "installed"
    assert "5.7.1" in box.run("dpkg-query", "-W", "libamdhip64-5")
    # PyTorch's packages come in the same transaction, but not where its role is left out.
    assert "python3-torch" not in box.run("dpkg-query", "-W")
