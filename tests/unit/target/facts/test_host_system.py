from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from rdna1.target.facts.collect import collect

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

LIBC = (
    "Package: libc6\nStatus: install ok installed\nArchitecture: {architecture}\n"
    "Version: 2.39-0ubuntu8.3\n"
)


def facts_of(tree: Tree, files: Mapping[str, str | bytes]) -> Any:
    return collect(str(tree(files)))


def test_os_release_with_and_without_quotes(tree: Tree) -> None:
    text = 'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME=\'Ubuntu 24.04\'\nID_LIKE="debian other"\n'
    assert facts_of(tree, {"/etc/os-release": text})["os"] == {
        "id": "ubuntu",
        "version_id": "24.04",
        "codename": None,
        "pretty_name": "Ubuntu 24.04",
        "id_like": ["debian", "other"],
    }


def test_os_release_of_usr_lib_counts_when_etc_has_none(tree: Tree) -> None:
    assert facts_of(tree, {"/usr/lib/os-release": "ID=debian\n"})["os"]["id"] == "debian"


def test_no_os_release_is_a_reason(tree: Tree) -> None:
    facts = facts_of(tree, {"/etc/hostname": "x"})
    assert facts["os"] is None
    assert facts["unknown"]["os"] == "/usr/lib/os-release: No such file or directory"


def test_a_package_that_asks_for_a_reboot(tree: Tree) -> None:
    assert facts_of(tree, {"/run/other": ""})["reboot_required"] is False
    assert facts_of(tree, {"/run/reboot-required": ""})["reboot_required"] is True


@pytest.mark.parametrize(
    ("architecture", "machine"), [("amd64", "x86_64"), ("arm64", "aarch64"), ("i386", "i686")]
)
def test_machine_and_glibc_of_a_tree_come_from_dpkg(
    tree: Tree, architecture: str, machine: str
) -> None:
    facts = facts_of(tree, {"/var/lib/dpkg/status": LIBC.format(architecture=architecture)})
    assert (facts["system"], facts["machine"], facts["glibc"]) == ("Linux", machine, "2.39")


def test_the_native_architecture_is_the_first_of_several(tree: Tree) -> None:
    status = LIBC.format(architecture="i386") + "\n" + LIBC.format(architecture="amd64")
    files = {"/var/lib/dpkg/status": status, "/var/lib/dpkg/arch": "amd64\ni386\n"}
    assert facts_of(tree, files)["machine"] == "x86_64"


def test_another_kernel_than_linux_is_unknown(tree: Tree) -> None:
    facts = facts_of(tree, {"/var/lib/dpkg/status": LIBC.format(architecture="hurd-amd64")})
    assert facts["system"] is None
    assert "hurd-amd64" in facts["unknown"]["machine"]


def test_an_empty_tree_says_why_for_each_fact(tree: Tree) -> None:
    facts = facts_of(tree, {})
    reasons = facts["unknown"]
    for fact in ("system", "machine", "os", "glibc", "displays", "pythons", "disk", "rocm"):
        assert facts[fact] is None, fact
        assert reasons[fact], fact
    for group, fact in (("kernel", "release"), ("kernel", "cmdline"), ("amdgpu", "loaded")):
        assert facts[group][fact] is None
        assert reasons[f"{group}.{fact}"]
    assert {"kfd.device", "kfd.nodes", "render_nodes", "apt.packages", "container"} <= set(reasons)
    assert facts["variables"] == []


def test_facts_of_the_running_machine() -> None:
    facts: Any = collect()
    assert (facts["root"], facts["schema_version"]) == ("/", 1)
    assert facts["machine"] == os.uname().machine
    assert facts["kernel"]["release"] == os.uname().release
    assert facts["disk"][0]["free_bytes"] > 0
    assert facts["glibc"] == (os.confstr("CS_GNU_LIBC_VERSION") or "").split()[-1]


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"/run/.containerenv": ""}, "podman"),
        ({"/.dockerenv": ""}, "docker"),
        ({"/run/systemd/container": "lxc\n"}, "lxc"),
        ({"/proc/version": "Linux version 5.15-microsoft-standard-WSL2"}, "wsl"),
        ({"/proc/1/environ": "A=1\0container=systemd-nspawn\0"}, "systemd-nspawn"),
        ({"/proc/1/environ": "A=1\0"}, None),
    ],
)
def test_container(tree: Tree, files: Mapping[str, str | bytes], kind: str | None) -> None:
    facts = facts_of(tree, files)
    assert facts["container"] == kind
    assert "container" not in facts["unknown"]


def test_pythons(tree: Tree) -> None:
    names = ["python3.12", "python3.9", "python3.12-config", "python3-config", "perl"]
    root = tree({f"/usr/bin/{name}": "" for name in names})
    (root / "usr/bin/python3").symlink_to("python3.12")
    (root / "usr/bin/python3.8").symlink_to("nowhere")
    facts: Any = collect(str(root))
    assert facts["pythons"] == [
        {"path": "/usr/bin/python3", "version": "3.12"},
        {"path": "/usr/bin/python3.12", "version": "3.12"},
        {"path": "/usr/bin/python3.9", "version": "3.9"},
    ]


def test_groups_of_users(tree: Tree) -> None:
    root = tree(
        {
            "/etc/passwd": "ann:x:1000:1000:Ann:/home/ann:/bin/sh\nbroken line\nx:y:z\n",
            "/etc/group": "render:x:993:bob,ann\nann:x:1000:\nvideo:x:44:bob\n:::\n",
        }
    )
    facts: Any = collect(str(root), ["ann", "bob", "eve"])
    assert facts["users"] == [
        {"name": "ann", "exists": True, "groups": ["render", "ann"]},
        {"name": "bob", "exists": False, "groups": ["render", "video"]},
        {"name": "eve", "exists": False, "groups": []},
    ]
