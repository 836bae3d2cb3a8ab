"""AMD's archive with packages that are none of AMD's, and boxes that imitate Ubuntu.

apt, archives and signatures are real; the packages are fakes. Ubuntu's own rocminfo has a
higher version than AMD's, on which AMD's packages depend.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.apt_repository import FakePackage, package_file, publish
from support.boxes import remove_box
from support.ubuntu_like import (
    CODENAMES,
    IGNORED,
    REPOSITORIES,
    AmdBox,
    archives,
    real_image,
    start_ubuntu_like,
)


@pytest.mark.parametrize(
    ("stack", "version"), [("rocm-5.7", "24.04"), ("rocm-5.7", "22.04"), ("rocm-5.2", "20.04")]
)
def test_amds_archive_replaces_nothing_but_its_own(
    tmp_path: Path, stack: str, version: str
) -> None:
    if real_image(version):
        pytest.skip("adds packages to the distribution's archive")
    name = f"rdna1-test-{os.getpid()}-pin"
    root, suite, _ = REPOSITORIES[stack][0]
    with archives(tmp_path, stack) as served:
        ubuntu = tmp_path / f"ubuntu-{version}"
        newer = [FakePackage("unrelated", "99"), FakePackage("by-hand", "2")]
        publish(tmp_path / root, suite, newer, served.key, origin="repo.radeon.com")
        own = [FakePackage("unrelated", "1"), FakePackage("rocm-core", "99")]
        publish(ubuntu, CODENAMES[version], own, served.key, origin="Ubuntu")
        publish(
            tmp_path / "by-hand", "x", [FakePackage("by-hand", "1")], served.key, origin="nobody"
        )
        by_hand = package_file(tmp_path / "by-hand", "by-hand")
        try:
            mounted = [f"--volume={by_hand.parent}:/by-hand:ro"]
            box = start_ubuntu_like(name, tmp_path, version, served, mounted)
            box.run("apt-get", "-qq", "install", "unrelated", f"/by-hand/{by_hand.name}")
            # The box's glibc is that of Debian 13, which matters to PyTorch's wheels alone.
            played = AmdBox(box, served).play(
                rdna1_stack=stack, rdna1_rocm_source="amd", preflight_ignore=[*IGNORED, "glibc"]
            )
            assert played.returncode == 0, played.stdout
            box.run("apt-get", "-qq", "update")
            box.run("apt-get", "-qq", "--with-new-pkgs", "upgrade")
            shown = box.run("dpkg-query", "--show", "--showformat=${Package} ${Version}\n")
        finally:
            remove_box(name)
    installed = dict(line.split() for line in shown.splitlines())
    assert installed["unrelated"] == "1", "Ubuntu's, though AMD's archive has a newer one"
    assert installed["by-hand"] == "1", "what no archive of Ubuntu has stays as well"
    digits = {"rocm-5.7": "50701", "rocm-5.2": "50203"}[stack]
    of_amd = ("rocm-core", "rocminfo", "hip-runtime-amd", "rocm-smi-lib", "comgr")
    assert {package: digits in installed[package] for package in of_amd} == dict.fromkeys(
        of_amd, True
    )
