"""Kernels, drivers, firmware and options with which a card has no driver."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.field.cards import old_kernel
from support.field.case import Build, Case
from support.machine_tree import BOOKWORM, FOCAL, JAMMY, NOBLE, TRIXIE, MachineTree, Release


def without_module(release_kernel: str, debian: bool = False) -> Build:
    def build(root: Path) -> MachineTree:
        release = BOOKWORM if debian else NOBLE
        machine = MachineTree(root, release).display("731f", driver="").write("dev/null", "")
        machine.write("proc/sys/kernel/osrelease", f"{release_kernel}\n")
        (machine.root / "sys/module/amdgpu/initstate").unlink()
        (machine.root / "sys/module/amdgpu").rmdir()
        return machine.modules(release_kernel, amdgpu=False)

    return build


def imac(root: Path) -> MachineTree:
    """T2-Ubuntu#208."""
    machine = MachineTree(root, JAMMY).display("7340", driver="").write("dev/null", "")
    machine.write("proc/cmdline", "quiet splash nomodeset\n")
    machine.write("etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet splash nomodeset"\n')
    machine.write("sys/class/dmi/id/sys_vendor", "Apple Inc.\n")
    return machine.write("sys/class/dmi/id/product_name", "iMac20,1\n")


def leftover(root: Path) -> MachineTree:
    """ROCm#4197."""
    machine = MachineTree(root).card().package("dkms", "3.0.11-1ubuntu13")
    machine.write("var/lib/dkms/amdgpu/6.8.5-2041575.24.04/build/make.log", "")
    return machine.link(
        "var/lib/dkms/amdgpu/6.8.5-2041575.24.04/source", "/usr/src/amdgpu-6.8.5-2041575.24.04"
    )


def not_offered(root: Path, release: Release, kernel: str, device: str = "731f") -> MachineTree:
    machine = MachineTree(root, release, kernel).display(device)
    return machine.device("kfd").device("dri/renderD128")


def unbound(
    root: Path, release: Release = NOBLE, kernel: str = "", options: str = ""
) -> MachineTree:
    """No driver has the card; the firmware of Debian's machines is not there."""
    device = "7360" if release is TRIXIE else "731f"
    machine = MachineTree(root, release, kernel).display(device, driver="").write("dev/null", "")
    return machine.write("proc/cmdline", f"root=/dev/sda1 ro {options}\n")


def amd_driver_alone(root: Path) -> MachineTree:
    kernel, version = "6.8.0-1044-aws", "6.16.13-2278356.22.04"
    machine = MachineTree(root, JAMMY, kernel).card()
    shutil.rmtree(machine.root / "lib/modules")
    machine.modules(kernel, amdgpu=False).write(f"lib/modules/{kernel}/updates/dkms/amdgpu.ko", "")
    machine.write(f"var/lib/dkms/amdgpu/{version}/{kernel}/x86_64/module/amdgpu.ko", "")
    return machine.package("amdgpu-dkms", "1:6.16.13.30300000-2278356.22.04")


def three_compressions(root: Path) -> MachineTree:
    machine = MachineTree(root).card()
    folder = machine.root / "lib/firmware/amdgpu"
    names = sorted(path.name.partition(".")[0] for path in folder.glob("navi10_*"))
    shutil.rmtree(folder)
    for number, name in enumerate(names):
        machine.write(f"lib/firmware/amdgpu/{name}.bin{('', '.xz', '.zst')[number % 3]}", "")
    return machine


CASES = [
    Case(
        "kernel without the chip",
        old_kernel,
        "kernel-version",
        "fail",
        (
            "5.4.0-54-generic",
            "does not offer Navi 14",
            "from Linux 5.5 on",
            "linux-generic-hwe-20.04",
        ),
        ("older than 145", "apt purge", "atomics, and MEC"),
        {"kfd": "fail", "pcie-atomics": "skip", "amdgpu-dkms": "warn", "dkms-build": "warn"},
    ),
    Case(
        "Navi 10 on that kernel",
        lambda r: MachineTree(r, FOCAL, "5.4.0-54-generic").card(),
        "kernel-version",
        "warn",
        ("older than any",),
    ),
    Case(
        *(
            "Ubuntu's kernel without the module",
            without_module("6.8.0-47-generic"),
            "installed-kernels",
        ),
        "fail",
        ("apt install linux-modules-extra-6.8.0-47-generic",),
        ("modprobe amdgpu",),
    ),
    Case(
        "Debian's cloud kernel",
        without_module("6.1.0-37-cloud-amd64", debian=True),
        "installed-kernels",
        "fail",
        ("apt install linux-image-amd64", "6.1.0-37-amd64 has it"),
    ),
    Case(
        "iMac with nomodeset",
        imac,
        "boot-options",
        "fail",
        ("Try it once first", "amdgpu.ppfeaturemask=0xfff7bffd", "/etc/default/grub:1"),
        ("modprobe amdgpu",),
        {"kernel-driver": "fail"},
    ),
    Case(
        "DKMS' folder left over",
        leftover,
        "dkms-build",
        "warn",
        ("rm -r /var/lib/dkms/amdgpu/6.8.5-2041575.24.04",),
        ("apt purge",),
    ),
    Case(
        "AMD's instances of cards with Navi 12 on an old kernel",
        lambda root: not_offered(root, FOCAL, "5.4.0-150-generic", device="7360"),
        "kernel-version",
        "fail",
        ("does not offer Navi 12", "from Linux 5.9 on"),
        ("atomics, and MEC",),
        {"kfd": "fail"},
    ),
    Case(
        "a kernel older than Navi 10, whose driver does not bind",
        lambda root: unbound(root, FOCAL, "5.0.0-65-generic"),
        "kernel-version",
        "fail",
        ("does not offer Navi 10", "linux-generic-hwe-20.04"),
        ("modprobe amdgpu",),
        {"kernel-driver": "fail"},
    ),
    Case(
        "firmware that is not there, in the kernel's words",
        lambda root: unbound(root, TRIXIE).write(
            "var/log/kern.log",
            "[    0.0] Linux version 6.12.43\n[    3.0] amdgpu 0000:03:00.0: Direct firmware load "
            "for amdgpu/navi12_gpu_info.bin failed with error -2\n",
        ),
        "kernel-driver",
        "fail",
        ("the driver says that a firmware file is missing", "the check firmware names"),
        ("modprobe amdgpu",),
        {"firmware": "warn"},
    ),
    Case(
        "firmware that is not there, by the files alone",
        lambda root: unbound(root, TRIXIE),
        "kernel-driver",
        "fail",
        ("firmware files are missing", "See firmware"),
        ("modprobe amdgpu",),
        {"firmware": "warn"},
    ),
    Case(
        "the driver kept out on the command line",
        lambda root: unbound(root, options="modprobe.blacklist=nouveau,amdgpu").write(
            "etc/default/grub", 'GRUB_CMDLINE_LINUX="modprobe.blacklist=nouveau,amdgpu"\n'
        ),
        "boot-options",
        "fail",
        ("Try it once first", "change it in /etc/default/grub"),
        ("modprobe amdgpu", "Remove these settings"),
        {"kernel-driver": "fail"},
    ),
    Case(
        "the driver switched off by an option of the module",
        lambda root: unbound(root).write("etc/modprobe.d/gpu.conf", "options amdgpu modeset=0\n"),
        "kernel-driver",
        "fail",
        ("settings keep it from loading", "/etc/modprobe.d/gpu.conf:1"),
        ("modprobe amdgpu",),
    ),
    Case(
        "a card kept for virtual machines",
        lambda root: (
            MachineTree(root)
            .display("731f", driver="vfio-pci")
            .write("dev/null", "")
            .write("etc/modprobe.d/vfio.conf", "options vfio-pci ids=1002:731f\n")
        ),
        "kernel-driver",
        "fail",
        ("bound to vfio-pci", "grep -r vfio-pci /etc/modprobe.d", "virtual machine"),
    ),
    Case(
        "a cloud's kernel that has AMD's driver alone",
        amd_driver_alone,
        "amdgpu-dkms",
        "warn",
        ("Keep it until", "apt install linux-modules-extra-6.8.0-1044-aws"),
    ),
    Case(
        "a leftover of DKMS with its source, and no DKMS",
        lambda root: (
            MachineTree(root)
            .card()
            .write("var/lib/dkms/amdgpu/6.3.6-1718217.22.04/source/dkms.conf", "")
        ),
        "dkms-build",
        "warn",
        ("rm -r /var/lib/dkms/amdgpu/6.3.6-1718217.22.04",),
        ("dkms remove",),
    ),
    Case(
        "firmware compressed in three ways",
        three_compressions,
        "firmware",
        "pass",
    ),
]
