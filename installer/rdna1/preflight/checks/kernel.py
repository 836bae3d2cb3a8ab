"""Rules about the kernel, its modules and firmware, and AMD's own driver beside it."""

from __future__ import annotations

import re

from rdna1.preflight.checks.graphics import rdna1_cards
from rdna1.preflight.facts import UnknownFactError
from rdna1.preflight.model import Case, Outcome, check
from rdna1.stacks import KernelRange

_DKMS = "amdgpu-dkms"
_DKMS_REFERENCES = (
    "ROCm/legacy-rocm-build#2451",
    "ROCm/legacy-rocm-build#3701",
    "ROCm/amdgpu#192",
)
_REMOVE_DKMS = (
    f"As root: apt purge {_DKMS}; update-initramfs -u. Then reboot into the kernel's own driver."
)
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})")
_NUMBERS = re.compile(r"\d{1,9}")
# Without these gfx_v10_0.c and sdma_v5_0.c do not start the chip.
_FIRMWARE_PARTS = ("ce", "me", "mec", "mec2", "pfp", "rlc", "sdma", "sdma1")
_FIRMWARE_PACKAGES = {"debian": "firmware-amd-graphics", "ubuntu": "linux-firmware"}
_CWSR = "amdgpu.cwsr_enable=0"


@check(
    "kernel-version",
    "Version of the kernel",
    needs=("card",),
    references=(
        "ROCm/ROCm docs/release/gpu_os_support.md at docs/5.7.1",
        "ROCm/ROCm#5555",
        "Efenstor/PyTorch-ROCm-gfx1010-Debian13 README.md",
    ),
)
def kernel_version(case: Case) -> Outcome:
    """The kernel's driver is one half of ROCm, and a stack was seen with some versions.

    Outside of them nothing is known to be wrong, and nobody is known to have tried. From
    6.17 on a user of gfx1010 reports that the machine freezes.
    """
    release = case.facts.known("kernel.release", case.facts.kernel.release)
    return _judged(release, case.stack.kernel, "the running kernel")


@check(
    "installed-kernels",
    "Running kernel among the installed ones",
    needs=("card",),
    references=("modprobe(8)", "Efenstor/PyTorch-ROCm-gfx1010-Debian13 README.md"),
)
def installed_kernels(case: Case) -> Outcome:
    """A kernel whose modules were removed by an update can load no amdgpu until a reboot.

    A newer kernel that is installed and not running is the one that the next boot takes:
    what was judged and measured today may be different then.
    """
    facts = case.facts
    running = facts.known("kernel.release", facts.kernel.release)
    installed = facts.known("modules.kernels", facts.modules.kernels)
    if running not in installed:
        return Outcome(
            "warn",
            f"the modules of the running kernel {running} are not installed",
            [f"installed: {release}" for release in installed],
            "Reboot into an installed kernel.",
        )
    newer = max(installed, key=_order)
    if _order(newer) <= _order(running):
        return Outcome("pass", f"{running} is the newest kernel installed")
    judged = _judged(newer, case.stack.kernel, "the kernel of the next boot")
    if judged.status == "warn":
        return judged
    return Outcome("pass", f"{running} is installed; the next boot takes {newer}")


@check(
    "boot-options",
    "Options on the kernel's command line",
    needs=("card",),
    references=(
        "torvalds/linux drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c",
        "Efenstor/PyTorch-ROCm-gfx1010-Debian13 README.md",
        "ROCm/ROCm#5590",
    ),
)
def boot_options(case: Case) -> Outcome:
    """With nomodeset amdgpu refuses to start, and there is no card to compute with.

    Installers add it to get past a black screen. Users of gfx1010 set
    amdgpu.cwsr_enable=0 against hangs; whether it helps is not proven, so it is only shown.
    """
    line = case.facts.known("kernel.cmdline", case.facts.kernel.cmdline)
    words = line.split()
    if "nomodeset" in words:
        return Outcome(
            "fail",
            "nomodeset keeps amdgpu from starting",
            [f"/proc/cmdline: {line}"],
            "Remove it from /etc/default/grub, run update-grub as root, then reboot.",
        )
    own = [word for word in words if word.startswith(("amdgpu.", "iommu=", "amd_iommu="))]
    evidence = [f"set: {word}" for word in own]
    if _CWSR not in words:
        evidence.append(f"not set: {_CWSR}, which some users set against hangs")
    return Outcome("pass", "no option keeps amdgpu from starting", evidence)


@check(
    "firmware",
    "Firmware files of the chip",
    needs=("card",),
    references=(
        "torvalds/linux drivers/gpu/drm/amd/amdgpu/gfx_v10_0.c",
        "torvalds/linux drivers/gpu/drm/amd/amdgpu/sdma_v5_0.c",
        "torvalds/linux Documentation/driver-api/firmware/fw_search_path.rst",
    ),
)
def firmware(case: Case) -> Outcome:
    """The driver loads the chip's microcode from /lib/firmware/amdgpu.

    Without it the driver does not bind. Debian keeps it in a package of its own that is
    not installed by default.
    """
    present = set(case.facts.known("firmware", case.facts.firmware))
    chips = sorted({chip.name.lower().replace(" ", "") for _, chip, _ in rdna1_cards(case)})
    wanted = [f"{chip}_{part}.bin" for chip in chips for part in _FIRMWARE_PARTS]
    missing = [name for name in wanted if name not in present]
    if not missing:
        return Outcome("pass", f"the firmware of {', '.join(chips)} is installed")
    found = case.facts.os
    package = _FIRMWARE_PACKAGES.get(found.id if found else "", "linux-firmware")
    return Outcome(
        "warn",
        f"{len(missing)} firmware files of the card are not in /lib/firmware/amdgpu",
        missing,
        f"As root: apt install {package}; update-initramfs -u. Then reboot.",
    )


@check("amdgpu-dkms", "No driver of AMD's own", references=_DKMS_REFERENCES)
def amdgpu_dkms(case: Case) -> Outcome:
    """The kernel's own amdgpu is used; AMD's amdgpu-dkms of these ages breaks on new kernels.

    The driver of 5.7 does not build on Linux 6.6, that of 6.2 broke between two updates of
    6.8, and a failed build leaves dpkg half done with the kernel itself.
    """
    packages = case.facts.known("apt.packages", case.facts.apt.packages)
    if _DKMS not in packages:
        return Outcome("pass", f"{_DKMS} is not installed")
    return Outcome(
        "warn",
        f"{_DKMS} is installed; the stacks use the kernel's own driver",
        [f"{_DKMS} {packages[_DKMS]}"],
        _REMOVE_DKMS,
    )


@check("dkms-build", "Builds of AMD's own driver", references=(*_DKMS_REFERENCES, "dkms(8)"))
def dkms_build(case: Case) -> Outcome:
    """A driver of AMD's that is not built for the running kernel is not the one that runs.

    After an update of the kernel the build may have failed unseen: the kernel's own driver
    is loaded in its place, and programs of AMD's version meet another one than they expect.
    """
    facts = case.facts
    versions = facts.known("modules.dkms", facts.modules.dkms)
    if not versions:
        return Outcome("pass", "DKMS has no driver of AMD's")
    running = facts.known("kernel.release", facts.kernel.release)
    lines = [f"{v.version}: built for {', '.join(v.kernels) or 'no kernel'}" for v in versions]
    if any(running in version.kernels for version in versions):
        return Outcome("pass", f"AMD's driver is built for {running}", lines)
    return Outcome(
        "warn",
        f"AMD's driver is not built for the running kernel {running}",
        lines,
        _REMOVE_DKMS,
    )


@check(
    "secure-boot",
    "Secure Boot and AMD's own driver",
    references=("ROCm/legacy-rocm-build#276", "dkms-project/dkms#347", "mokutil(1)"),
)
def secure_boot(case: Case) -> Outcome:
    """With Secure Boot the kernel loads only modules signed with a key that it knows.

    Its own amdgpu is signed. One that DKMS built is signed with a key of this machine,
    which somebody has to enroll at a boot; without that there is no driver.
    """
    facts = case.facts
    versions = facts.known("modules.dkms", facts.modules.dkms)
    if not any(version.kernels for version in versions):
        return Outcome("pass", "the kernel's own driver needs no key of this machine")
    if not facts.known("secure_boot", facts.secure_boot):
        return Outcome("pass", "Secure Boot is off")
    return Outcome(
        "warn",
        "Secure Boot is on, and DKMS built a driver that needs an enrolled key",
        [f"{version.version} for {', '.join(version.kernels)}" for version in versions],
        f"{_REMOVE_DKMS} Or enroll the key: mokutil --import /var/lib/dkms/mok.pub",
    )


def _judged(release: str, seen: KernelRange | None, whose: str) -> Outcome:
    if seen is None:
        return Outcome("pass", f"{whose} is {release}; no report names kernels for this stack")
    match = _RELEASE.match(release)
    if match is None:
        raise UnknownFactError(f"{release!r} is no version of a kernel")
    version = (int(match[1]), int(match[2]))
    remedy = f"Boot a kernel from {seen.oldest_seen} to {seen.newest_seen}."
    if seen.freezes_from is not None and version >= _pair(seen.freezes_from):
        return Outcome(
            "warn",
            f"{whose} is {release}: from {seen.freezes_from} on freezes are reported",
            remedy=remedy,
        )
    if version > _pair(seen.newest_seen):
        summary = f"{whose} is {release}, newer than any that this stack was seen with"
    elif version < _pair(seen.oldest_seen):
        summary = f"{whose} is {release}, older than any that this stack was seen with"
    else:
        return Outcome("pass", f"{whose} is {release}; the stack was seen with such")
    return Outcome(
        "warn",
        summary,
        [f"seen with {seen.oldest_seen} to {seen.newest_seen}"],
        f"{remedy} Or go on, and measure with rdna1-validate.",
    )


def _pair(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def _order(release: str) -> list[int]:
    """What sorts releases: their numbers, 6.8.0-9 before 6.8.0-45."""
    return [int(number) for number in _NUMBERS.findall(release)]
