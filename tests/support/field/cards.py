"""Cards that the driver does not offer, or a variable hides, and options of the kernel."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.field.case import Build, Case
from support.machine_tree import BOOKWORM, FOCAL, JAMMY, NOBLE, TRIXIE, USER, MachineTree, Release


def old_kernel(root: Path) -> MachineTree:
    """ROCm#1318: AMD's driver of ROCm 3 was built for the kernel before an update."""
    machine = MachineTree(root, FOCAL, "5.4.0-54-generic").display("7340", "0000:2f:00.0")
    machine.device("kfd").device("dri/renderD128").modules("5.4.0-53-generic")
    machine.package("rock-dkms", "1:3.10-27")
    return machine.write("var/lib/dkms/amdgpu/3.10-27/5.4.0-53-generic/x86_64/module/amdgpu.ko", "")


def two_gpus(root: Path, kernel: str = "", start: str = "", target: bool = True) -> MachineTree:
    """ROCm#1306: the graphics of a Renoir next to an RX 5500M."""
    machine = MachineTree(root, FOCAL, kernel).display("7340").display("1636", "0000:08:00.0")
    machine.node("7340", target=100102 if target else 0, slot=0x300)
    machine.node("1636", target=90012 if target else 0, slot=0x800)
    machine.device("kfd").device("dri/renderD128").device("dri/renderD129")
    return machine.write(f"home/{USER}/.bashrc", start)


def visible(*lines: str) -> Build:
    return lambda root: two_gpus(root, start="".join(f"export {line}\n" for line in lines))


def without_kfd(root: Path) -> MachineTree:
    """ROCm#1643."""
    machine = MachineTree(root, kernel="6.8.12-custom").display("731f").device("dri/renderD128")
    config = "CONFIG_DRM_AMDGPU=m\n# CONFIG_HSA_AMD is not set\n"
    return machine.write("boot/config-6.8.12-custom", config)


def without_module(release_kernel: str, debian: bool = False) -> Build:
    def build(root: Path) -> MachineTree:
        release = BOOKWORM if debian else NOBLE
        machine = MachineTree(root, release).display("731f", driver="").write("dev/null", "")
        machine.write("proc/sys/kernel/osrelease", f"{release_kernel}\n")
        (machine.root / "sys/module/amdgpu/initstate").unlink()
        (machine.root / "sys/module/amdgpu").rmdir()
        return machine.modules(release_kernel, amdgpu=False)

    return build


def missing(device: str = "731f", **files: str) -> Build:
    """The driver has the card, and KFD does not offer it."""

    def build(root: Path) -> MachineTree:
        machine = MachineTree(root).display(device).device("kfd").device("dri/renderD128")
        for path, content in files.items():
            machine.write(path.replace("__", "/"), content)
        return machine

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


def one_of_two(root: Path) -> MachineTree:
    return MachineTree(root).card().display("7340", "0000:0a:00.0")


ATOMICS = "[    3.1] kfd kfd: amdgpu: skipped device 1002:731f, PCI rejects atomics 123<145\n"


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


def without_bus(offered: bool) -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root).device("kfd").device("dri/renderD128")
        shutil.rmtree(machine.root / "sys/bus")
        return machine.node("731f", target=100100, slot=0x300) if offered else machine

    return build


def igpu_first(root: Path, start: str) -> MachineTree:
    machine = MachineTree(root).display("164e", "0000:08:00.0").display("731f")
    machine.node("164e", target=100306, slot=0x800).node("731f", target=100100, slot=0x300)
    machine.device("kfd").device("dri/renderD128").device("dri/renderD129")
    return machine.write(f"home/{USER}/.bashrc", start)


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
        "Navi 10 on that kernel",
        lambda r: MachineTree(r, FOCAL, "5.4.0-54-generic").card(),
        "kernel-version",
        "warn",
        ("older than any",),
    ),
    Case(
        "no gfx target of a node",
        lambda r: two_gpus(r, "5.11.0-27-generic", target=False),
        "integrated-gpu",
        "warn",
        ("KFD node 2: 1002:1636", "ROCR_VISIBLE_DEVICES=0"),
        ("offers no AMD graphics",),
        {"gfx-override-reach": "warn", "kfd": "pass"},
    ),
    Case(
        "the processor's graphics alone",
        visible("ROCR_VISIBLE_DEVICES=1"),
        "visible-devices",
        "fail",
        ("not the RDNA1 card", "index 0 of ROCR"),
    ),
    Case(
        *(
            "HIP counts what ROCR leaves",
            visible("ROCR_VISIBLE_DEVICES=1,0", "HIP_VISIBLE_DEVICES=0"),
        ),
        "visible-devices",
        "fail",
        ("not the RDNA1 card", "HIP_VISIBLE_DEVICES=0"),
    ),
    Case(
        *(
            "HIP beyond what ROCR leaves",
            visible("ROCR_VISIBLE_DEVICES=0", "HIP_VISIBLE_DEVICES=1"),
        ),
        "visible-devices",
        "fail",
        ("hides every card",),
    ),
    Case(
        "the card alone",
        visible("ROCR_VISIBLE_DEVICES=0", "HIP_VISIBLE_DEVICES=0"),
        "visible-devices",
        "pass",
        (),
        (),
        {"integrated-gpu": "pass"},
    ),
    Case(
        "the card second for HIP",
        visible("ROCR_VISIBLE_DEVICES=1,0", "CUDA_VISIBLE_DEVICES=1"),
        "visible-devices",
        "pass",
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
        "the processor's graphics first, and the card second",
        lambda root: igpu_first(root, "export HIP_VISIBLE_DEVICES=0\n"),
        "visible-devices",
        "fail",
        ("not the RDNA1 card", "index 1 of ROCR", "ROCR_VISIBLE_DEVICES=1"),
        others={"integrated-gpu": "warn"},
    ),
    Case(
        "every card hidden by -1",
        lambda root: igpu_first(root, "export CUDA_VISIBLE_DEVICES=-1\n"),
        "visible-devices",
        "fail",
        ("hides every card",),
    ),
    Case(
        "another generation next to the card, on a kernel that names no target",
        lambda root: (
            two_gpus(root, "5.11.0-49-generic", target=False)
            .display("687f", "0000:0a:00.0")
            .node("687f", slot=0xA00)
        ),
        "other-card",
        "warn",
        ("1002:687f", "its kernel names no gfx target"),
        others={"gfx-override-reach": "warn"},
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
    Case(
        "a board of an unknown revision",
        lambda root: MachineTree(root).display("731f", revision="ff").node("731f", slot=0x300),
        "card",
        "pass",
        ("Navi 10",),
    ),
]
