"""ROCm of AMD's repository on Ubuntu 24.04, and PyTorch from an index."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.scenario import scenario_folder, served_addresses
from support.switched import KEYRING, PIN, SOURCE

ENVIRONMENT = "/opt/rdna1/rocm-5.7"
PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("rocminfo", "1.0.0.50701-98~22.04"),
        ("rocm-smi-lib", "5.0.0.50701-98~22.04"),
        ("hip-runtime-amd", "5.7.31921.50701-98~22.04"),
        ("hipcc", "1.0.0.50701-98~22.04"),
        ("rocm-llvm", "17.0.0.23382.50701-98~22.04"),
        ("miopen-hip", "2.20.0.50701-98~22.04"),
    ],
)
def test_every_purpose_is_installed_from_amd(host: Any, package: str, version: str) -> None:
    assert host.package(package).is_installed
    assert host.package(package).version == version


@pytest.mark.parametrize("package", ["rocm-gdb", "rocm-dev", "amdgpu-dkms", "libhsa-runtime64-1"])
def test_what_ubuntu_24_04_cannot_hold_or_would_mix_is_not_installed(
    host: Any, package: str
) -> None:
    assert not host.package(package).is_installed


def test_dpkg_is_content(host: Any) -> None:
    assert host.check_output("dpkg --audit") == ""


def test_ubuntus_newer_rocminfo_loses_to_the_pin_and_is_still_there_to_choose(host: Any) -> None:
    policy = host.check_output("apt-cache policy rocminfo")
    assert "Installed: 1.0.0.50701-98~22.04" in policy
    assert "Candidate: 1.0.0.50701-98~22.04" in policy
    assert "5.7.1-3build1 500" in policy


def test_the_source_names_the_suite_that_amd_has(host: Any) -> None:
    lines = host.file(SOURCE).content_string.splitlines()
    assert f"URIs: {served_addresses()['archives']}/rocm/apt/5.7.1" in lines
    assert "Suites: jammy" in lines
    assert f"Signed-By: {KEYRING}" in lines
    assert "rocm" not in host.check_output("ls /etc/apt/trusted.gpg.d")


def test_the_pin_prefers_amd(host: Any) -> None:
    assert "Pin-Priority: 600" in host.file(PIN).content_string.splitlines()


@pytest.mark.parametrize("path", [SOURCE, PIN, KEYRING, PROFILE, "/etc/rdna1/stack.json"])
def test_files_are_roots_and_readable(host: Any, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)


def test_the_keyring_is_binary(host: Any) -> None:
    assert not host.file(KEYRING).content.startswith(b"-----BEGIN")
    assert host.file(KEYRING).size > 0


def test_users_get_access_to_the_card(host: Any) -> None:
    assert {"render", "video"} <= set(host.user("ada").groups)


def test_the_environment_has_the_stacks_wheels_and_its_python(host: Any) -> None:
    program = "import sys, torch; print(torch.__version__, *sys.version_info[:2])"
    assert host.check_output(f"{ENVIRONMENT}/bin/python -c %s", program) == "2.2.2+rocm5.7 3 12"
    assert host.run(f"{ENVIRONMENT}/bin/rdna1-preflight list").rc == 0


def test_the_lock_next_to_the_inventory_has_hashes() -> None:
    lock = scenario_folder() / "locks" / "rocm-5.7-3.12-x86_64-linux.txt"
    assert "torch==2.2.2+rocm5.7 \\\n    --hash=sha256:" in lock.read_text()


def test_the_stack_is_written_down(host: Any) -> None:
    stack = json.loads(host.file("/etc/rdna1/stack.json").content_string)
    assert (stack["stack"], stack["environment"]) == ("rocm-5.7", ENVIRONMENT)
    variables = host.file("/etc/rdna1/rocm-5.7.env").content_string.splitlines()
    assert 'HSA_OVERRIDE_GFX_VERSION="10.3.0"' in variables


def test_commands_lead_to_the_environment(host: Any) -> None:
    link = host.file("/usr/local/bin/rdna1-validate")
    assert link.linked_to.startswith("/opt/rdna1/")
    assert host.run("rdna1-validate --help").rc == 0


def test_the_second_run_left_no_further_snapshot(host: Any) -> None:
    folders = host.file("/var/lib/rdna1/snapshots").listdir()
    assert len(folders) == 1
    assert host.file(f"/var/lib/rdna1/snapshots/{folders[0]}").mode == 0o700
