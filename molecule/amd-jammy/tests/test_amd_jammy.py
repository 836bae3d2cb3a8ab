"""ROCm of AMD's repository on Ubuntu 22.04, in place of what an older script left."""

from __future__ import annotations

from typing import Any

import pytest

from support.scenario import served_addresses
from support.switched import KEYRING, PIN, SOURCE

OLD_LINE = "deb [arch=amd64] https://repo.radeon.com/rocm/apt/5.2 ubuntu main"


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("rocminfo", "1.0.0.50701-98~22.04"),
        ("hip-runtime-amd", "5.7.31921.50701-98~22.04"),
        ("rocm-llvm", "17.0.0.23382.50701-98~22.04"),
        ("miopen-hip", "2.20.0.50701-98~22.04"),
    ],
)
def test_every_purpose_is_installed_from_amd(host: Any, package: str, version: str) -> None:
    assert host.package(package).is_installed
    assert host.package(package).version == version


def test_dependencies_come_from_ubuntu(host: Any) -> None:
    assert host.package("libstdc++-11-dev").is_installed
    assert host.check_output("dpkg --audit") == ""


def test_amds_own_driver_is_not_installed_unasked(host: Any) -> None:
    assert not host.package("amdgpu-dkms").is_installed


def test_the_older_source_and_key_are_gone(host: Any) -> None:
    assert not host.file("/etc/apt/sources.list.d/rocm.list").exists
    assert not host.file("/etc/apt/trusted.gpg.d/rocm.asc").exists
    lines = host.file("/etc/apt/sources.list").content_string.splitlines()
    assert OLD_LINE not in lines
    assert "# mine" in lines


def test_copies_of_them_are_kept(host: Any) -> None:
    kept = host.check_output("cat /var/lib/rdna1/backups/*/etc-apt-sources.list.d-*")
    assert kept.strip() == OLD_LINE


def test_the_source_is_the_one_that_was_named(host: Any) -> None:
    lines = host.file(SOURCE).content_string.splitlines()
    assert f"URIs: {served_addresses()['archives']}/rocm/apt/5.7.1" in lines
    assert "Suites: jammy" in lines
    assert f"Signed-By: {KEYRING}" in lines
    assert "Pin-Priority: 600" in host.file(PIN).content_string.splitlines()


@pytest.mark.parametrize("path", [SOURCE, PIN, KEYRING])
def test_files_are_roots_and_readable(host: Any, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)


def test_the_keyring_is_binary(host: Any) -> None:
    assert host.file(KEYRING).size > 0
    assert not host.file(KEYRING).content.startswith(b"-----BEGIN")


def test_users_get_access_to_the_card(host: Any) -> None:
    assert {"render", "video"} <= set(host.user("ada").groups)
