"""Containers, where the group of the devices is not changed from inside."""

from __future__ import annotations

from pathlib import Path

from support.field.case import Build, Case
from support.machine_tree import USER, MachineTree


def container(marker: str, gid: int, members: bool = False, kind: str = "lxc") -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root).display("731f").node("731f", target=100100, slot=0x300)
        machine.write(marker, f"{kind}\n" if "systemd" in marker else "")
        if members:
            machine.group("video", 44, USER)
        machine.group("nogroup", 65534)
        return machine.device("kfd", gid).device("dri/renderD128", gid)

    return build


def bare(root: Path) -> MachineTree:
    machine = MachineTree(root).display("731f").node("731f", target=100100, slot=0x300)
    return machine.write(".dockerenv", "").write("dev/null", "")


CASES = [
    Case(
        "lxc, another group",
        container("run/systemd/container", 44),
        "kfd",
        "fail",
        ("root:video", "Outside", "gid=GID"),
        ("udev", "usermod"),
        {"groups": "skip"},
    ),
    Case(
        "lxc, another group of the user",
        container("run/systemd/container", 44, True),
        "kfd",
        "warn",
        ("root:video", "Outside", "gid=GID"),
        ("udev", "usermod"),
    ),
    Case(
        "docker, a group without a name",
        container(".dockerenv", 106),
        "kfd",
        "fail",
        ("root:106", "Outside", "--group-add", "stat -c %g /dev/kfd"),
        ("udev", "usermod"),
        {"groups": "skip"},
    ),
    Case(
        "podman, not mapped",
        container("run/.containerenv", 65534),
        "kfd",
        "fail",
        ("root:nogroup", "keep-groups"),
        ("udev", "usermod"),
    ),
    Case(
        "kubernetes",
        container("run/secrets/kubernetes.io/x", 106),
        "kfd",
        "fail",
        ("supplementalGroups",),
        ("udev", "usermod"),
    ),
    Case(
        "docker, without the card's devices",
        lambda root: bare(root),
        "kfd",
        "fail",
        ("no /dev/kfd in this container (docker)", "--device /dev/kfd --device /dev/dri"),
        ("udevadm",),
    ),
    Case(
        "docker, without /dev/dri",
        lambda root: bare(root).device("kfd"),
        "render-nodes",
        "fail",
        ("--device /dev/kfd --device /dev/dri",),
        ("udevadm",),
    ),
    Case(
        "systemd-nspawn, a group without a name",
        container("run/systemd/container", 992, kind="systemd-nspawn"),
        "kfd",
        "fail",
        ("root:992", "PrivateUsers"),
        ("udev", "usermod"),
    ),
    Case(
        "Incus, not mapped",
        container("run/systemd/container", 0),
        "kfd",
        "fail",
        ("root:root", "Incus"),
        ("udev", "usermod"),
    ),
    Case(
        "docker, open to all",
        lambda root: bare(root).device("kfd", 0, 0o666).device("dri/renderD128", 0, 0o666),
        "kfd",
        "pass",
    ),
    Case(
        "no container, a group without a name",
        lambda root: MachineTree(root).display("731f").node("731f", slot=0x300).device("kfd", 992),
        "kfd",
        "fail",
        ("only root can use", "udevadm trigger", "grep -l kfd /etc/udev/rules.d"),
        ("Outside",),
        {"render-nodes": "fail"},
    ),
]
