"""Cards that the driver does not offer, and machines without one."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.field.case import Build, Case
from support.machine_tree import FOCAL, MachineTree


def old_kernel(root: Path) -> MachineTree:
    """ROCm#1318: AMD's driver of ROCm 3 was built for the kernel before an update."""
    machine = MachineTree(root, FOCAL, "5.4.0-54-generic").display("7340", "0000:2f:00.0")
    machine.device("kfd").device("dri/renderD128").modules("5.4.0-53-generic")
    machine.package("rock-dkms", "1:3.10-27")
    return machine.write("var/lib/dkms/amdgpu/3.10-27/5.4.0-53-generic/x86_64/module/amdgpu.ko", "")


def without_kfd(root: Path) -> MachineTree:
    """ROCm#1643."""
    machine = MachineTree(root, kernel="6.8.12-custom").display("731f").device("dri/renderD128")
    config = "CONFIG_DRM_AMDGPU=m\n# CONFIG_HSA_AMD is not set\n"
    return machine.write("boot/config-6.8.12-custom", config)


def missing(device: str = "731f", **files: str) -> Build:
    """The driver has the card, and KFD does not offer it."""

    def build(root: Path) -> MachineTree:
        machine = MachineTree(root).display(device).device("kfd").device("dri/renderD128")
        for path, content in files.items():
            machine.write(path.replace("__", "/"), content)
        return machine

    return build


def one_of_two(root: Path) -> MachineTree:
    return MachineTree(root).card().display("7340", "0000:0a:00.0")


ATOMICS = "[    3.1] kfd kfd: amdgpu: skipped device 1002:731f, PCI rejects atomics 123<145\n"


def without_bus(offered: bool) -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root).device("kfd").device("dri/renderD128")
        shutil.rmtree(machine.root / "sys/bus")
        return machine.node("731f", target=100100, slot=0x300) if offered else machine

    return build


CASES = [
    Case(
        "AMD's driver of another kernel",
        old_kernel,
        "kfd",
        "fail",
        (
            "built for another kernel",
            "3.10-27 is built for 5.4.0-53",
            "dkms autoinstall -k 5.4.0-54",
        ),
        first="kernel-version",
    ),
    Case(
        "kernel without KFD",
        without_kfd,
        "kfd",
        "fail",
        ("CONFIG_HSA_AMD", "distribution's own kernel"),
        ("dmesg",),
    ),
    Case(
        "the kernel's saved words",
        missing(var__log__dmesg=ATOMICS),
        "kfd",
        "fail",
        ("rejects atomic operations", "/var/log/dmesg:1", "123<145"),
    ),
    Case(
        "words of an earlier boot",
        missing(**{"var__log__kern.log": f"{ATOMICS}[ 0.0] Linux version 6.8.0\n"}),
        "kfd",
        "fail",
        ("dmesg | grep -i kfd",),
        ("123<145",),
    ),
    Case(
        "a workstation card without atomics",
        missing("7341"),
        "pcie-atomics",
        "fail",
        ("Radeon Pro W5500", "version 123"),
        ("update it",),
        first="kfd",
    ),
    Case(
        "one refused card of two",
        one_of_two,
        "kfd",
        "warn",
        ("1 of 2 cards", "0000:0a:00.0"),
        (),
        {"pcie-atomics": "warn"},
    ),
    Case(
        "a board by its revision",
        lambda root: MachineTree(root).card(),
        "card",
        "pass",
        ("Radeon RX 5700 XT (Navi 10",),
    ),
    Case(
        "nothing is wrong",
        lambda root: MachineTree(root).card(),
        "kfd",
        "pass",
        others={"os-release": "pass", "groups": "pass", "firmware": "pass"},
    ),
    Case(
        "firmware that the kernel names as too old",
        missing(**{"var__log__kern.log": f"[    0.0] Linux version 6.8.0\n{ATOMICS}"}),
        "pcie-atomics",
        "fail",
        ("and this is 123", "firmware of a current release"),
        ("which is not known here",),
        {"kfd": "fail"},
        first="kfd",
    ),
    Case(
        "a workstation card without atomics, by its slot",
        missing("7341"),
        "kfd",
        "fail",
        ("no PCIe atomics at its slot", "Radeon Pro W5500 never does without"),
        ("dmesg | grep -i kfd",),
        {"pcie-atomics": "fail"},
    ),
    Case(
        "the topology without the PCI bus",
        without_bus(True),
        "kfd",
        "pass",
        others={"other-card": "pass", "cyan-skillfish": "pass", "card": "pass"},
    ),
    Case(
        "the topology without the card and without the PCI bus",
        without_bus(False),
        "card",
        "fail",
        ("the PCI bus could not be read", "as root, in dmesg"),
        ("Use this stack with a card",),
    ),
    Case(
        "the PCI bus and the topology without /dev",
        lambda root: MachineTree(root).display("731f"),
        "kfd",
        "fail",
        ("does not offer the card",),
    ),
    Case(
        "Windows' subsystem for Linux",
        lambda root: MachineTree(root).write(
            "proc/version", "Linux version 5.15.153.1-microsoft\n"
        ),
        "wsl",
        "fail",
        ("Windows",),
        ("Use this stack with a card",),
        {"card": "fail"},
    ),
    Case(
        "a virtual machine without a card",
        lambda root: (
            MachineTree(root)
            .display("1111", vendor="1234", driver="bochs-drm")
            .write("sys/class/dmi/id/sys_vendor", "QEMU\n")
        ),
        "card",
        "fail",
        ("pass it through to this virtual machine",),
    ),
    Case(
        "a board of an unknown revision",
        lambda root: MachineTree(root).display("731f", revision="ff").node("731f", slot=0x300),
        "card",
        "pass",
        ("Navi 10",),
    ),
]
