"""States of dpkg, ROCm of others, and sources of packages."""

from __future__ import annotations

from pathlib import Path

from support.field.case import Build, Case
from support.machine_tree import FOCAL, JAMMY, NOBLE, MachineTree, Release

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
    """ROCm#2310: AMD's numbered packages next to the plain ones."""
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


CASES = [
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
    Case(
        "AMD's driver of ROCm 3 that does not build",
        lambda root: packages(
            ("rock-dkms", "1:4.0-23", "install ok half-configured"), release=FOCAL
        )(root).write("var/lib/dkms/amdgpu/4.0-23/build/make.log", "error\n"),
        "apt-state",
        "fail",
        ("apt purge rock-dkms",),
        ("apt purge amdgpu-dkms", "--configure -a"),
    ),
    *[
        Case(
            f"half configured: {name}",
            packages((name, "1.0-1", "install ok half-configured")),
            "apt-state",
            "warn",
            ("dpkg --configure -a", *words),
            () if words else ("does not build",),
        )
        for name, words in (
            ("nvidia-dkms-535", ("does not build on this kernel", "apt purge nvidia-dkms-535")),
            ("zfs-dkms", ("apt purge zfs-dkms",)),
            ("linux-firmware", ()),
            ("grub-efi-amd64", ()),
        )
    ],
    Case(
        "AMD's driver, half installed",
        packages(("amdgpu-dkms", "1:6.3.6.60300-2084815.24.04", HALF)),
        "apt-state",
        "warn",
        ("dpkg --remove --force-remove-reinstreq amdgpu-dkms",),
        others={"amdgpu-dkms": "warn"},
    ),
    Case(
        "AMD's ROCm 6.2 where the distribution's is to be",
        packages(("rocm-core", "6.2.4.60204-139~24.04"), ("comgr", "2.8.0.60204-139~24.04")),
        "rocm-mixture",
        "fail",
        ("ROCm of AMD is installed", "apt purge rocm-core comgr"),
    ),
    Case(
        "AMD's new packages, of every name",
        packages(
            ("amdrocm10.0", "10.0.0-1~24.04"),
            ("amdrocm-base10.0", "10.0.0-1~24.04"),
            ("amdrocm-blas10.0-gfx1010", "10.0.0-1~24.04"),
        ),
        "rocm-mixture",
        "fail",
        ("apt purge amdrocm10.0 amdrocm-base10.0 amdrocm-blas10.0-gfx1010",),
    ),
    Case(
        "a folder of ROCm that the linker reads",
        lambda root: (
            MachineTree(root)
            .card()
            .write("opt/rocm-6.3.0/.info/version", "6.3.0-39\n")
            .write("etc/ld.so.conf.d/rocm.conf", "/opt/rocm-6.3.0/lib\n")
        ),
        "rocm-mixture",
        "warn",
        ("no package owns", "/etc/ld.so.conf.d/rocm.conf:1: /opt/rocm-6.3.0/lib"),
    ),
    Case(
        "a server of AMD's with nightly packages",
        lambda root: (
            MachineTree(root)
            .card()
            .write(
                "etc/apt/sources.list.d/nightly.list",
                "deb [trusted=yes] https://rocm.nightlies.amd.com/deb/20261101 stable main\n",
            )
        ),
        "amd-signature",
        "fail",
        ("without a signature", "Disable it in /etc/apt/sources.list.d/nightly.list"),
        ("rocm.gpg",),
        {"amd-source": "warn"},
    ),
    Case(
        "AMD's driver in the common list of sources",
        lambda root: (
            MachineTree(root)
            .card()
            .write(
                "etc/apt/sources.list",
                "deb https://repo.radeon.com/amdgpu/latest/ubuntu noble main\n",
            )
        ),
        "amd-source",
        "warn",
        ("amdgpu/latest/ubuntu", "Disable it in /etc/apt/sources.list"),
        ("Fetch https://repo.radeon.com", "Add signed-by"),
    ),
    Case(
        "a source that is disabled",
        lambda root: (
            MachineTree(root)
            .card()
            .write(
                "etc/apt/sources.list.d/old.sources",
                "Enabled: no\nTypes: deb\nURIs: https://repo.radeon.com/rocm/apt/5.4\n"
                "Suites: ubuntu\nComponents: main\n",
            )
        ),
        "amd-source",
        "pass",
    ),
    Case(
        "a pin above AMD's",
        lambda root: (
            MachineTree(root, JAMMY)
            .card()
            .write(
                "etc/apt/preferences.d/all",
                "Package: *\nPin: release o=Ubuntu\nPin-Priority: 1001\n",
            )
        ),
        "amd-pin",
        "warn",
        ("/etc/apt/preferences.d/all:1", "priority 1001", "below 600"),
    ),
]
