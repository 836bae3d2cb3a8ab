"""Releases, derivatives and C libraries."""

from __future__ import annotations

from pathlib import Path

from support.field.case import Build, Case
from support.machine_tree import BOOKWORM, JAMMY, NOBLE, TRIXIE, MachineTree, Release


def os_release(name: str, text: str, *, kernel: str = "", **files: str) -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root, JAMMY, kernel).card()
        for path, content in files.items():
            machine.write(path.replace("__", "/"), content)
        return machine.write("etc/os-release", f'PRETTY_NAME="{name}"\n{text}')

    return build


MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21.2"\nVERSION_CODENAME=victoria\n'
LMDE = "ID=linuxmint\nID_LIKE=debian\nVERSION_ID=6\nVERSION_CODENAME=faye\n"
ELEMENTARY = 'ID=elementary\nID_LIKE="ubuntu debian"\nVERSION_ID=7.1\nVERSION_CODENAME=horus\n'
DEBIAN_12 = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'


def with_kernel(kernel: str, release: Release) -> Build:
    return lambda root: MachineTree(root, release, kernel).card()


CASES = [
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
        ("Fedora Linux 43 is not a release",),
    ),
    Case(
        "Zorin",
        os_release("Zorin OS 17.2", 'ID=zorin\nVERSION_ID="17"\nUBUNTU_CODENAME=jammy\n'),
        "os-release",
        "warn",
        ("Zorin OS 17.2 is assessed as Ubuntu 22.04",),
    ),
    Case(
        "KDE neon",
        os_release("KDE neon 6.2", 'ID=neon\nVERSION_ID="24.04"\nUBUNTU_CODENAME=noble\n'),
        "os-release",
        "warn",
        ("KDE neon 6.2 is assessed as Ubuntu 24.04",),
    ),
    Case(
        "LMDE of Debian 13",
        os_release("LMDE 7 (gigi)", "ID=linuxmint\nID_LIKE=debian\nDEBIAN_CODENAME=trixie\n"),
        "os-release",
        "warn",
        ("LMDE 7 (gigi) is assessed as Debian 13",),
    ),
    Case(
        "Devuan, by Debian's version",
        os_release(
            "Devuan GNU/Linux 5 (daedalus)",
            "ID=devuan\nID_LIKE=debian\nVERSION_CODENAME=daedalus\n",
            etc__debian_version="12.0\n",
        ),
        "os-release",
        "warn",
        ("is assessed as Debian 12",),
    ),
    Case(
        "a rolling derivative, whose base nothing names",
        os_release(
            "Kali GNU/Linux Rolling",
            "ID=kali\nID_LIKE=debian\nVERSION_CODENAME=kali-rolling\n",
            etc__debian_version="kali-rolling\n",
        ),
        "os-release",
        "fail",
        ("Kali GNU/Linux Rolling",),
        ("is assessed as",),
    ),
    Case(
        "Ubuntu 26.04",
        os_release("Ubuntu 26.04 LTS", 'ID=ubuntu\nVERSION_ID="26.04"\n'),
        "os-release",
        "warn",
        ("community support",),
        stack="therock",
    ),
    *[
        Case(
            f"kernel {kernel}",
            with_kernel(kernel, release),
            "kernel-version",
            status,
            words,
        )
        for kernel, release, status, words in (
            ("6.19.3-061903-generic", NOBLE, "warn", ("freezes are reported", "linux-generic")),
            ("7.0.0-44-generic", NOBLE, "warn", ("freezes are reported", "brings 6.8")),
            ("6.18.1-x64v3-xanmod1", TRIXIE, "warn", ("freezes", "linux-image-amd64")),
            ("6.16.8-1-liquorix-amd64", NOBLE, "warn", ("newer than any",)),
            ("6.14.8-2-pve", TRIXIE, "pass", ()),
            ("6.12.32+bpo-amd64", BOOKWORM, "pass", ()),
        )
    ],
]
