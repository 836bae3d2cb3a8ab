"""Checks of the kernel, its modules and firmware."""

from __future__ import annotations

import re

from rdna1.catalog.kernels import release_kernels
from rdna1.catalog.stacks import KernelRange
from rdna1.preflight.facts import Facts, UnknownFactError
from rdna1.preflight.machine import (
    Card,
    rdna1_cards,
    version_pair,
)
from rdna1.preflight.machine import kernel_version as version_of
from rdna1.preflight.missing_card import kernel_too_old, said
from rdna1.preflight.model import Case, CheckOutcome, check

_NUMBERS = re.compile(r"\d{1,9}")
# Without these gfx_v10_0.c and sdma_v5_0.c do not start the chip; its mec2 is optional.
_ENGINES = ("ce", "me", "mec", "pfp", "rlc", "sdma", "sdma1")
# Of psp_v11_0.c and smu_v11_0.c.
_PLATFORM = ("asd", "smc", "sos")
_WITH_WORKSTATION = frozenset(["ce", "me", "mec", "pfp"])
_FIRMWARE_PACKAGES = {"debian": "firmware-amd-graphics", "ubuntu": "linux-firmware"}


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
def kernel_version(case: Case) -> CheckOutcome:
    """The kernel's driver is one half of ROCm, and a stack was seen with some versions.

    Outside of them nothing is known to be wrong, and nobody is known to have tried. From
    6.17 on a user of gfx1010 reports that the machine freezes.
    """
    facts = case.facts
    release = facts.known(lambda f: f.kernel.release)
    missing = [card for card in rdna1_cards(case) if card.node is None]
    too_old = [card for card in missing if kernel_too_old(facts, card)]
    built = any(release in build.kernels for build in facts.modules.dkms or [])
    if too_old and not built:
        first = too_old[0].chip.first_kernel
        return CheckOutcome(
            "fail",
            f"the running kernel {release} does not offer {too_old[0].chip.name} for computing",
            [f"its driver does from Linux {first.compute} on (amdkfd)"],
            _other_kernel(case, case.stack.kernel, first.compute),
        )
    return _assessed(case, release, "the running kernel")


@check(
    "installed-kernels",
    "Running kernel among the installed ones",
    needs=("card",),
    references=("modprobe(8)", "Efenstor/PyTorch-ROCm-gfx1010-Debian13 README.md"),
)
def installed_kernels(case: Case) -> CheckOutcome:
    """A kernel whose modules were removed by an update can load no amdgpu until a reboot.

    A newer kernel that is installed and not running is the one that the next boot takes:
    what was assessed and measured today may be different then.
    """
    facts = case.facts
    running = facts.known(lambda f: f.kernel.release)
    installed = facts.known(lambda f: f.modules.kernels)
    if running in installed and (without := _without_amdgpu(case, running)):
        return without
    if running not in installed:
        return CheckOutcome(
            "warn",
            f"the modules of the running kernel {running} are not installed",
            [f"installed: {release}" for release in installed],
            "Reboot into an installed kernel.",
        )
    newer = max(installed, key=_order)
    if _order(newer) <= _order(running):
        return CheckOutcome("pass", f"{running} is the newest kernel installed")
    assessed = _assessed(case, newer, "the kernel of the next boot")
    if assessed.status == "warn":
        return assessed
    return CheckOutcome("pass", f"{running} is installed; the next boot takes {newer}")


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
def firmware(case: Case) -> CheckOutcome:
    """The driver loads the chip's microcode from /lib/firmware/amdgpu.

    Without it the driver does not bind. Debian keeps it in a package of its own that is
    not installed by default.
    """
    case.facts.known(lambda f: f.firmware)
    chips = sorted({_prefix(card) for card in rdna1_cards(case)})
    missing = missing_firmware(case)
    if not missing:
        return CheckOutcome("pass", f"the firmware of {', '.join(chips)} is installed")
    messages = [line.shown for line in said(case.facts, "firmware")][:3]
    return CheckOutcome(
        "warn",
        f"{len(missing)} firmware files of the card are not in /lib/firmware/amdgpu",
        missing + messages,
        _install_firmware(case),
    )


def missing_firmware(case: Case) -> list[str]:
    """Return the files that the driver loads for the cards and that are not there, if known."""
    present = case.facts.firmware
    if present is None:
        return []
    wanted = {name for card in rdna1_cards(case) for name in _firmware_of(card)}
    return sorted(wanted - set(present))


def _assessed(case: Case, release: str, whose: str) -> CheckOutcome:
    seen = case.stack.kernel
    if seen is None:
        return CheckOutcome("pass", f"{whose} is {release}; no report names kernels for this stack")
    version = version_of(release)
    if version is None:
        raise UnknownFactError(f"{release!r} is not a version of a kernel")
    remedy = _other_kernel(case, seen, seen.oldest_seen)
    if seen.freezes_from is not None and version >= version_pair(seen.freezes_from):
        return CheckOutcome(
            "warn",
            f"{whose} is {release}: from {seen.freezes_from} on freezes are reported",
            remedy=remedy,
        )
    if version > version_pair(seen.newest_seen):
        summary = f"{whose} is {release}, newer than any that this stack was seen with"
    elif version < version_pair(seen.oldest_seen):
        summary = f"{whose} is {release}, older than any that this stack was seen with"
    else:
        return CheckOutcome("pass", f"{whose} is {release}; the stack was seen with such")
    return CheckOutcome(
        "warn",
        summary,
        [f"seen with {seen.oldest_seen} to {seen.newest_seen}"],
        f"{remedy} Or go on, and measure with rdna1-validate.",
    )


def _other_kernel(case: Case, seen: KernelRange | None, least: str) -> str:
    """Return which kernel to boot, and the package of this release that has it."""
    found = case.facts.os
    offered = release_kernels(found.id, found.version_id or "") if found else []
    oldest = max(version_pair(least), version_pair(seen.oldest_seen) if seen else (0, 0))
    newest = version_pair(seen.newest_seen) if seen else (9999, 0)
    fitting = [k for k in offered if oldest <= version_pair(k.kernel) <= newest]
    first = f"{oldest[0]}.{oldest[1]}"
    text = f"Boot a kernel from {first} to {seen.newest_seen}." if seen else f"from {first} on."
    text = text if seen else f"Boot a kernel {text}"
    if not fitting or found is None:
        return text
    kernel = fitting[0]
    return (
        f"{text} As root: apt install {kernel.package} brings {kernel.kernel} on "
        f"{found.base_name}; then reboot and choose it in the boot menu (advanced options)."
    )


def _without_amdgpu(case: Case, running: str) -> CheckOutcome | None:
    """Return a running kernel whose installed modules lack the driver, and that did not load it."""
    facts = case.facts
    have = facts.modules.with_amdgpu
    if have is None or running in have or facts.amdgpu.loaded:
        return None
    others = [f"{release} has it" for release in have]
    summary = f"the modules of the running kernel {running} do not hold amdgpu"
    note = "cloud and minimal kernels leave it out, or have it in a package of its own"
    return CheckOutcome("fail", summary, [note, *others], install_own_driver(facts))


def install_own_driver(facts: Facts) -> str:
    """Return how the running kernel gets the driver that its distribution builds for it."""
    if facts.os and facts.os.id == "ubuntu":
        package = f"linux-modules-extra-{facts.kernel.release}"
        return f"As root: apt install {package}. Then reboot."
    if facts.os and facts.os.id == "debian":
        return "As root: apt install linux-image-amd64. Then reboot into that kernel."
    return "Install and boot a kernel that has the module amdgpu."


def _prefix(card: Card) -> str:
    return card.chip.name.lower().replace(" ", "")


def _firmware_of(card: Card) -> list[str]:
    """Return files that the driver loads for a card.

    What the driver started has its firmware, perhaps in the initial RAM disk: of such a card only
    the files of the engines are asked for.
    """
    started = card.node is not None or card.driver == "amdgpu"
    workstation = card.chip.has_workstation_firmware(card.device, card.revision)
    names = [
        f"{_prefix(card)}_{part}{'_wks' if workstation and part in _WITH_WORKSTATION else ''}.bin"
        for part in _ENGINES
        if not started or not (workstation and part in _WITH_WORKSTATION)
    ]
    return names + [f"{_prefix(card)}_{part}.bin" for part in _PLATFORM if not started]


def _install_firmware(case: Case) -> str:
    found, sources = case.facts.os, case.facts.apt.sources or []
    package = _FIRMWARE_PACKAGES.get(found.id if found else "", "linux-firmware")
    command = f"As root: apt install {package}; update-initramfs -u. Then reboot."
    if not found or found.id != "debian":
        return command
    component = "non-free" if found.is_before("12") else "non-free-firmware"
    if any(component in source.components for source in sources if source.enabled):
        return command
    return f"Add the component {component} to Debian's sources and run apt update. {command}"


def _order(release: str) -> list[int]:
    """Return what sorts releases: their numbers, 6.8.0-9 before 6.8.0-45."""
    return [int(number) for number in _NUMBERS.findall(release)]
