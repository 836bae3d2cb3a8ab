"""Machines whose owners reported a fault, or others of the same kind: one row a case.

Each row names the check that holds the cause, and words of the cause and of what helped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rdna1.cli.preflight import main
from rdna1.host.collect import collect
from rdna1.preflight import Finding, judge, load_facts
from rdna1.stacks import load_stack
from support.machine_tree import BOOKWORM, FOCAL, JAMMY, NOBLE, TRIXIE, USER, MachineTree, Release

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="device files take root")

Build = Callable[[Path], MachineTree]


class Case(NamedTuple):
    """A machine, and what is said of it.

    Attributes:
        name: of the case, after the public report where there is one.
        build: makes the machine below a folder.
        check: id of the finding with the cause.
        status: of that finding.
        words: that the finding holds.
        never: what no finding may say.
        others: status of other findings by id.
        stack: that it is assessed for.
    """

    name: str
    build: Build
    check: str
    status: str
    words: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    others: dict[str, str] = {}  # noqa: RUF012 - the class is a tuple, and nobody changes it
    stack: str = "rocm-5.7"


def old_kernel(root: Path) -> MachineTree:
    """ROCm#1318: AMD's driver of ROCm 3 was built for the kernel before an update."""
    machine = MachineTree(root, FOCAL, "5.4.0-54-generic").display("7340", "0000:2f:00.0")
    machine.device("kfd").device("dri/renderD128").modules("5.4.0-53-generic")
    machine.package("rock-dkms", "1:3.10-27")
    return machine.write("var/lib/dkms/amdgpu/3.10-27/5.4.0-53-generic/x86_64/module/amdgpu.ko", "")


def two_gpus(root: Path, kernel: str = "", start: str = "", target: bool = True) -> MachineTree:
    """ROCm#1306: the graphics of a Renoir beside an RX 5500M."""
    machine = MachineTree(root, FOCAL, kernel).display("7340").display("1636", "0000:08:00.0")
    machine.node("7340", target=100102 if target else 0, slot=0x300)
    machine.node("1636", target=90012 if target else 0, slot=0x800)
    machine.device("kfd").device("dri/renderD128").device("dri/renderD129")
    return machine.write(f"home/{USER}/.bashrc", start)


def visible(*lines: str) -> Build:
    return lambda root: two_gpus(root, start="".join(f"export {line}\n" for line in lines))


def container(marker: str, gid: int, members: bool = False) -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root).display("731f").node("731f", target=100100, slot=0x300)
        machine.write(marker, "lxc\n" if "systemd" in marker else "")
        if members:
            machine.group("video", 44, USER)
        machine.group("nogroup", 65534)
        return machine.device("kfd", gid).device("dri/renderD128", gid)

    return build


def os_release(name: str, text: str, *, kernel: str = "", **files: str) -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root, JAMMY, kernel).card()
        for path, content in files.items():
            machine.write(path.replace("__", "/"), content)
        return machine.write("etc/os-release", f'PRETTY_NAME="{name}"\n{text}')

    return build


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
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21.2"\nVERSION_CODENAME=victoria\n'
LMDE = "ID=linuxmint\nID_LIKE=debian\nVERSION_ID=6\nVERSION_CODENAME=faye\n"
ELEMENTARY = 'ID=elementary\nID_LIKE="ubuntu debian"\nVERSION_ID=7.1\nVERSION_CODENAME=horus\n'
DEBIAN_12 = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'

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
    ),
    # ROCm#4329, easydiffusion#1921.
    *[
        Case(
            f"{stack} on glibc 2.41",
            lambda root: MachineTree(root, TRIXIE).card(),
            "glibc",
            "warn",
            ("only without its executable stack", "libamdhip64.so", "--clear-execstack"),
            stack=stack,
        )
        for stack in ("rocm-5.7", "rocm-5.2")
    ],
    Case(
        "therock on glibc 2.41",
        lambda root: MachineTree(root, TRIXIE).card(),
        "glibc",
        "pass",
        ("glibc 2.41 loads",),
        stack="therock",
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
        "Linux Mint",
        os_release("Linux Mint 21.2", f"{MINT}UBUNTU_CODENAME=jammy\n"),
        "os-release",
        "warn",
        ("Linux Mint 21.2 is assessed as Ubuntu 22.04",),
    ),
    Case(
        "LMDE",
        os_release("LMDE 6 (faye)", f"{LMDE}DEBIAN_CODENAME=bookworm\n"),
        "os-release",
        "warn",
        ("LMDE 6 (faye) is assessed as Debian 12",),
    ),
    Case(
        *(
            "Pop!_OS",
            os_release("Pop!_OS 24.04 LTS", "ID=pop\nVERSION_ID=24.04\nUBUNTU_CODENAME=noble\n"),
        ),
        "os-release",
        "warn",
        ("is assessed as Ubuntu 24.04",),
        ("community",),
    ),
    Case(
        "elementary, by its upstream file",
        os_release(
            "elementary OS 7.1 Horus",
            ELEMENTARY,
            etc__upstream_release__x="",
            **{"etc__upstream-release__lsb-release": "DISTRIB_ID=Ubuntu\nDISTRIB_CODENAME=jammy\n"},
        ),
        "os-release",
        "warn",
        ("is assessed as Ubuntu 22.04",),
    ),
    Case(
        "MX, by Debian's version",
        os_release("MX 23", "ID=mx\nID_LIKE=debian\nVERSION_ID=23\n", etc__debian_version="12.5\n"),
        "os-release",
        "warn",
        ("MX 23 is assessed as Debian 12",),
    ),
    Case(
        "Proxmox VE, which calls itself Debian",
        lambda root: os_release("Debian GNU/Linux 12 (bookworm)", DEBIAN_12)(root).package(
            "pve-manager", "8.2.4"
        ),
        "os-release",
        "warn",
        ("Proxmox VE is assessed as Debian 12",),
    ),
    Case(
        "another family",
        os_release("Fedora Linux 43", "ID=fedora\nVERSION_ID=43\n"),
        "os-release",
        "fail",
        ("Fedora Linux 43 is no release",),
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
]


HALF = "install reinstreq half-installed"
AMD_7 = ("rocm-core", "hip-runtime-amd", "rocminfo", "rocblas")


def packages(*listed: tuple[str, ...], release: Release = NOBLE) -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root, release).card()
        for package in listed:
            machine.package(*package)
        return machine

    return build


def driver(state: str, *more: tuple[str, ...]) -> Build:
    """ollama#2453: AMD's driver does not build on this kernel."""

    def build(root: Path) -> MachineTree:
        machine = packages(("amdgpu-dkms", "1:6.2.4.50701-1664922.22.04", state), *more)(root)
        return machine.write("var/lib/dkms/amdgpu/6.2.4-1664922.22.04/build/make.log", "error\n")

    return build


def half_installed(root: Path) -> MachineTree:
    """ROCm#2310: AMD's numbered packages beside the plain ones."""
    version = "1.0.10.50401-84~20.04"
    machine = packages(("hipfft", version), ("hipfft5.4.1", version, HALF), release=FOCAL)(root)
    return machine.write(
        "var/log/apt/term.log",
        "dpkg: error processing archive /var/cache/hipfft5.4.1.deb (--unpack):\n"
        " trying to overwrite '/opt/rocm-5.4.1/lib/libhipfft.so', which is also in package "
        f"hipfft {version}\n",
    )


def source(uri: str, file: str = "amdrocm-stable.sources") -> Build:
    text = f"Types: deb\nURIs: {uri}\nSuites: stable\nComponents: main\n"
    return lambda root: (
        MachineTree(root, JAMMY)
        .card()
        .write(
            f"etc/apt/sources.list.d/{file}", f"{text}Signed-By: /etc/apt/keyrings/amdrocm.gpg\n"
        )
    )


PACKAGE_CASES = [
    Case(
        "a driver that does not build",
        driver("install ok half-configured"),
        "apt-state",
        "fail",
        ("does not build here", "apt purge amdgpu-dkms", "make.log"),
        ("--configure -a",),
        {"amdgpu-dkms": "warn"},
    ),
    Case(
        "a kernel that waits for such a driver",
        driver(
            "install ok installed",
            ("linux-image-6.8.0-47-generic", "6.8.0-47.47", "install ok half-configured"),
        ),
        "apt-state",
        "fail",
        ("apt purge amdgpu-dkms; dpkg --configure -a",),
    ),
    Case(
        "half installed, to be installed again",
        half_installed,
        "apt-state",
        "warn",
        (
            "dpkg --remove --force-remove-reinstreq hipfft5.4.1",
            "/opt/rocm-5.4.1/lib/libhipfft.so is also in hipfft",
        ),
        ("dpkg --configure -a",),
        {"rocm-mixture": "fail"},
    ),
    Case(
        "unpacked alone",
        packages(("rocminfo", "5.7.1-3build1", "install ok unpacked")),
        "apt-state",
        "warn",
        ("dpkg --configure -a", "rocminfo 5.7.1-3build1: unpacked"),
        ("reinstreq",),
    ),
    Case(
        "triggers",
        packages(("man-db", "2.12", "install ok triggers-pending")),
        "apt-state",
        "warn",
        ("dpkg --configure -a",),
    ),
    Case(
        "an interrupted removal",
        packages(("miopen-hip", "2.20.0.50701-98~22.04", "deinstall ok half-configured")),
        "apt-state",
        "warn",
        ("dpkg --purge miopen-hip",),
        ("--configure",),
    ),
    Case(
        "half installed, and not broken",
        packages(("rocrand", "2.10.17.50701-98~22.04", "install ok half-installed")),
        "apt-state",
        "warn",
        ("dpkg --remove rocrand", "apt install --fix-broken"),
        ("--configure",),
    ),
    Case(
        "unpacked counts as installed",
        packages(("rocm-core", "7.2.0.70200-43~22.04", "install ok unpacked"), release=JAMMY),
        "rocm-mixture",
        "fail",
        ("ROCm 7.2.0 of AMD",),
    ),
    Case(
        "AMD's ROCm of another release",
        packages(*((name, "1.0.0.70200-43~22.04") for name in AMD_7), release=JAMMY),
        "rocm-mixture",
        "fail",
        ("ROCm 7.2.0 of AMD is installed, and the stack's is 5.7.1", "apt purge rocm-core "),
        ("rocm_source: amd",),
    ),
    Case(
        "AMD's new packages",
        packages(("amdrocm10.1-gfx1030", "10.1.0-12~22.04"), release=JAMMY),
        "rocm-mixture",
        "fail",
        ("ROCm 10.1.0 of AMD", "apt purge amdrocm10.1-gfx1030"),
    ),
    Case(
        "AMD's ROCm of the stack",
        packages(*((name, "1.0.0.50701-98~22.04") for name in AMD_7), release=JAMMY),
        "rocm-mixture",
        "pass",
    ),
    Case(
        "AMD's driver of ROCm 3 is none of the distribution's",
        packages(("rock-dkms", "1:3.10-27"), ("rocm-dkms", "3.10.0-27"), release=JAMMY),
        "rocm-mixture",
        "pass",
        others={"amdgpu-dkms": "warn"},
    ),
    Case(
        "names like ROCm's",
        packages(
            ("hipercontracer", "1.6.5-1"),
            ("libhipercontracer2t64", "2.0.0-1"),
            ("libhipi-perl", "0.4-1"),
            ("rocs", "4:23.08"),
            ("hippotat-server", "1.1"),
            ("rocksdb-tools", "8.9.1-2"),
            ("rockdodger", "1.1.4"),
            ("hipo-utils", "2.0"),
            ("amdgpu-top", "0.10"),
            release=JAMMY,
        ),
        "rocm-mixture",
        "pass",
        never=("hipercontracer", "rocs", "hippotat", "rocksdb"),
    ),
    Case(
        "AMD's new repository",
        source("https://stable.repo.amd.com/rocm/core/packages/ubuntu2204/"),
        "amd-source",
        "warn",
        ("stable.repo.amd.com", "ROCm 10"),
    ),
    Case(
        "an older address of AMD's driver",
        source("https://repo.radeon.com/amdgpu/7.2/ubuntu", "amdgpu.list.sources"),
        "amd-source",
        "warn",
        ("amdgpu/7.2/ubuntu",),
    ),
]
CASES += PACKAGE_CASES


def start_files(**files: str | bytes) -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root).card()
        for path, content in files.items():
            machine.write(f"home/{USER}/{path.replace('__', '/')}", content)
        return machine

    return build


FISH = (
    "SETUVAR --export MIOPEN_FIND_ENFORCE:3\n"
    "SETUVAR --export HSA_OVERRIDE_GFX_VERSION:11\\x2e0\\x2e0\n"
)
SQLITE = b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20"
START_CASES = [
    Case(
        "fish's universal variables",
        start_files(**{".config__fish__fish_variables": FISH}),
        "find-enforce",
        "fail",
        ("fish_variables:1", "set --erase MIOPEN_FIND_ENFORCE"),
        ("run: unset",),
        {"gfx-override": "fail"},
    ),
    Case(
        "fish's conf.d",
        start_files(**{".config__fish__conf.d__gpu.fish": "set -Ux MIOPEN_FIND_ENFORCE 4\n"}),
        "find-enforce",
        "fail",
        ("conf.d/gpu.fish:1",),
    ),
    Case(
        "not exported by fish",
        start_files(**{".config__fish__config.fish": "set -g MIOPEN_FIND_ENFORCE 3\n"}),
        "find-enforce",
        "pass",
    ),
    Case(
        "not exported by bash",
        start_files(**{".bashrc": "MIOPEN_FIND_ENFORCE=3\n"}),
        "find-enforce",
        "pass",
    ),
    Case(
        "exported by bash later",
        start_files(**{".bashrc": "MIOPEN_FIND_ENFORCE=3\nexport MIOPEN_FIND_ENFORCE\n"}),
        "find-enforce",
        "fail",
        (".bashrc:1",),
    ),
    Case(
        "set by tcsh",
        start_files(**{".tcshrc": "setenv MIOPEN_FIND_ENFORCE 3\n"}),
        "find-enforce",
        "fail",
        (".tcshrc:1", "unsetenv MIOPEN_FIND_ENFORCE"),
    ),
    Case(
        "set by zsh for every shell",
        start_files(**{".zshenv": "typeset -gx MIOPEN_FIND_ENFORCE=3\n"}),
        "find-enforce",
        "fail",
        (".zshenv:1",),
    ),
    Case(
        "a damaged database of MIOpen",
        start_files(
            **{
                ".cache__miopen__2.17.0.a__gfx1030_18.ukdb": SQLITE + b"\xff" * 4000,
                ".config__miopen__gfx1030_18.HIP.2_17_0_a.ufdb.txt": b"x\n",
            }
        ),
        "miopen-databases",
        "warn",
        ("gfx1030_18.ukdb: ends in the middle", "ufdb.txt: line 1 is not KEY=VALUE", "rm /home"),
    ),
    Case(
        "a home on a network file system",
        lambda root: (
            MachineTree(root).card().write("proc/mounts", f"s:/h /home/{USER} nfs4 rw 0 0\n")
        ),
        "miopen-databases",
        "warn",
        (f"/home/{USER}: nfs4", "MIOPEN_USER_DB_PATH"),
    ),
    Case(
        "PYTHONPATH and LD_PRELOAD",
        start_files(
            **{
                ".bashrc": "export PYTHONPATH=/opt/sdk/lib/python3.11/site-packages\n"
                "export LD_PRELOAD=/opt/sdk/lib/libhsa-runtime64.so.1\n"
            }
        ),
        "foreign-modules",
        "fail",
        ("LD_PRELOAD, PYTHONPATH replaces", ".bashrc:2"),
    ),
]
CASES += START_CASES


def findings_of(machine: MachineTree, stack: str) -> list[Finding]:
    facts = load_facts(collect(str(machine.done()), [USER]))
    return judge(facts, load_stack(stack)).checks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_cause_is_named_and_nothing_else(case: Case, tmp_path: Path) -> None:
    findings = findings_of(case.build(tmp_path / "root"), case.stack)
    found = {finding.id: finding for finding in findings}
    told = found[case.check]
    text = " ".join([told.summary, *told.evidence, told.remedy])
    assert told.status == case.status, told
    assert [words for words in case.words if words not in text] == [], text
    everything = "\n".join(f"{f.summary} {' '.join(f.evidence)} {f.remedy}" for f in findings)
    assert [words for words in case.never if words in everything] == []
    assert {name: found[name].status for name in case.others} == case.others


def test_the_cause_stands_before_what_follows_from_it(tmp_path: Path) -> None:
    for build in (imac, old_kernel):
        findings = findings_of(build(tmp_path / build.__name__), "rocm-5.7")
        failed = [finding.id for finding in findings if finding.status == "fail"]
        assert failed[0] in ("boot-options", "kernel-version")


def test_a_saved_log_is_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = missing()(tmp_path / "root").done()
    log = tmp_path / "dmesg.txt"
    log.write_text(ATOMICS)
    arguments = ["--root", str(root), "--user", USER, "--format", "json"]
    assert main([*arguments, "--kernel-log", str(log)]) == 1
    findings = {each["id"]: each for each in json.loads(capsys.readouterr().out)["checks"]}
    assert "rejects atomic operations" in findings["kfd"]["summary"]
    assert f"{log}:1" in findings["kfd"]["evidence"][0]
    assert main([*arguments, "--kernel-log", str(tmp_path / "none")]) == 2
