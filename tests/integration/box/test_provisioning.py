"""site.yml against real boxes: refusals, real failures, and the run after the cause is gone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from support.box_fleet import play_refused
from support.box_state import difference, state
from support.boxes import ROOT, Box

ROCM = ("--tags=rocm",)

MakeBox = Callable[..., Box]


def test_what_is_misspelt_or_impossible_is_refused_before_any_change(make_box: MakeBox) -> None:
    box = make_box()
    box.run("useradd", "--create-home", "ada")
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


def test_no_network_is_explained_and_the_next_run_completes(make_box: MakeBox) -> None:
    box = make_box()
    box.run("apt-get", "-qq", "update")
    proxy = "/etc/apt/apt.conf.d/99proxy"
    box.run("sh", "-c", f"""echo 'Acquire::http::Proxy "http://127.0.0.1:9";' > {proxy}""")
    played = box.play(*ROCM)
    assert played.returncode != 0
    assert "Cause: a package archive or index cannot be reached" in played.stdout
    assert "It said: E: Failed to fetch http" in played.stdout
    box.run("rm", proxy)
    assert box.play(*ROCM).returncode == 0
    assert "5.7.1" in box.run("dpkg-query", "-W", "libamdhip64-5")
    # PyTorch's packages come in the same transaction, but not where its role is left out.
    assert "python3-torch" not in box.run("dpkg-query", "-W")


def test_a_package_that_apt_does_not_know_is_named(make_box: MakeBox) -> None:
    box = make_box()
    # Fresh lists of an archive without the packages: no update is due, and none is found.
    box.run("sh", "-c", "rm /etc/apt/sources.list.d/*; apt-get -qq update")
    played = box.play(*ROCM)
    assert played.returncode != 0
    assert "Cause: apt knows no package rocm-smi" in played.stdout


def test_a_full_disk_is_explained_and_the_next_run_completes(make_box: MakeBox) -> None:
    box = make_box("--tmpfs=/var/cache/apt/archives:size=200m")
    box.run("apt-get", "-qq", "update")
    box.run("mkdir", "-p", "/var/cache/apt/archives/partial")
    filler = "/var/cache/apt/archives/filler"
    box.run("fallocate", "--length", "195M", filler)
    played = box.play(*ROCM)
    assert played.returncode != 0
    assert "Cause: a disk is full" in played.stdout
    box.run("rm", filler)
    assert box.play(*ROCM).returncode == 0


def test_an_interrupted_dpkg_is_finished_first(make_box: MakeBox) -> None:
    box = make_box()
    box.run("apt-get", "-qq", "update")
    box.run("apt-get", "-qq", "install", "--download-only", "--yes", "libnuma1")
    box.run("sh", "-c", "dpkg --unpack /var/cache/apt/archives/libnuma1_*.deb")
    played = box.play(*ROCM)
    assert played.returncode == 0, played.stdout
    assert box.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "libnuma1") == "installed"
