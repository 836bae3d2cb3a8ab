"""site.yml against real boxes: refusals, real failures, and the run after the cause is gone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.apt_repository import DIST_PACKAGES, FakePackage, publish, signing_key
from support.box_fleet import play_refused
from support.box_state import difference, state
from support.boxes import ROOT, Box

ROCM = ("--tags=rocm",)

MakeBox = Callable[..., Box]

# Fails unless something else compiles the modules.
POSTINST = f"""#!/bin/sh
for second in $(seq 30); do
    [ "$(ls /{DIST_PACKAGES}/python3-many/__pycache__ 2>/dev/null | wc -l)" = 200 ] && exit 0
    sleep 1
done
exit 1
"""
# dpkg unpacks others meanwhile. As it ends, it replaces its list of packages, and who asks it in
# that moment is told that there is no such package.
PREINST = "#!/bin/sh\nsleep 2\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of a package with 200 Python modules, and of one that is unpacked after it."""
    packages = [
        FakePackage("python3-many", modules=200, scripts={"postinst": POSTINST}),
        FakePackage("others", depends="python3-many", scripts={"preinst": PREINST}),
    ]
    with signing_key() as key:
        publish(tmp_path, "fake", packages, key, origin="tests")
        tmp_path.chmod(0o755)
        tmp_path.joinpath("key.asc").write_bytes(key.public)
    return tmp_path


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


def test_modules_are_compiled_before_their_package_is_configured(
    make_box: MakeBox, repository: Path
) -> None:
    box = make_box(f"--volume={repository}:/srv:ro")
    source = "deb [signed-by=/srv/key.asc] file:/srv fake main"
    box.run("sh", "-c", f"echo '{source}' > /etc/apt/sources.list.d/tests.list; apt-get -qq update")
    chosen = {"rdna1_rocm_source": "none", "rocm_more_packages": ["others"]}
    played = box.play(*ROCM, f"--extra-vars={json.dumps(chosen)}")
    assert played.returncode == 0, played.stdout
    assert box.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "python3-many") == "installed"
