"""Why KFD does not offer a card: the cause that the facts support, and no other."""

from __future__ import annotations

import re
from typing import NamedTuple

from rdna1.preflight.facts import Facts, KernelMessage
from rdna1.preflight.machine import Card, dkms_packages, kernel_version, version_pair
from rdna1.preflight.model import Case

_CONFIG = "CONFIG_HSA_AMD"
# The message names the firmware's version and the first that does without atomics.
_REJECTED = re.compile(r"PCI rejects atomics (\d{1,5})<(\d{1,5})")
# Navi 12 is the one chip of RDNA1 whose virtual functions compute (kfd_device.c).
_WHOLE_CARD_ONLY = frozenset(["gfx1010", "gfx1012"])


class Cause(NamedTuple):
    """Why a card is missing.

    Attributes:
        id: short name of the cause.
        summary: it in one sentence.
        evidence: what shows it.
        remedy: what helps.
    """

    id: str
    summary: str
    evidence: list[str]
    remedy: str


class _Message(NamedTuple):
    """What a message of the kernel means; atomics have a remedy by the board: `atomics_remedy`."""

    pattern: re.Pattern[str]
    id: str
    summary: str
    remedy: str


def _says(pattern: str, cause: str, summary: str, remedy: str) -> _Message:
    return _Message(re.compile(pattern, re.I), cause, summary, remedy)


# Texts of kfd_device.c, amdgpu_device.c, kernel/module and security/lockdown.
_MESSAGES = (
    _says(
        r"PCI rejects atomics",
        "atomics",
        "the kernel says that PCI Express rejects atomic operations",
        "Move the card to a slot of the processor itself.",
    ),
    _says(
        r"not supported in kfd|is missing in supported_devices",
        "kernel-too-old",
        "the driver says that its compute part does not know the chip",
        "Boot a newer kernel.",
    ),
    _says(
        r"Direct firmware load for amdgpu/\S+ failed|failed to load (?:.*firmware|gpu_info)",
        "firmware",
        "the driver says that a firmware file is missing",
        "Install the firmware that the check firmware names, then reboot.",
    ),
    _says(
        r"amdgpu.*(?:disagrees about version|version magic|Unknown symbol)",
        "wrong-build",
        "the kernel refuses an amdgpu module that was built for another kernel",
        "Build AMD's driver again for this kernel, or remove it and reboot.",
    ),
    _says(
        r"module .*unavailable key|unsigned module loading is restricted|Required key not av",
        "unsigned",
        "the kernel refuses a driver that is signed with no key it knows",
        "See the check secure-boot.",
    ),
)


def why_missing(case: Case, card: Card) -> Cause | None:
    """Return the cause that the facts show, or None where they show none."""
    return (
        _not_built_in(case.facts)
        or _kernel_too_old(case.facts, card)
        or _no_atomics(case.facts, card)
        or message_cause(case.facts)
        or _shared(case.facts, card)
    )


def kernel_too_old(facts: Facts, card: Card) -> bool:
    """Return whether the running kernel's own driver does not offer the chip for computing."""
    version = kernel_version(facts.kernel.release or "")
    return version is not None and version < version_pair(card.chip.first_kernel.compute)


def said(facts: Facts, cause: str) -> list[KernelMessage]:
    """Return the kernel's saved messages that tell of a cause."""
    patterns = [message.pattern for message in _MESSAGES if message.id == cause]
    return [m for m in facts.kernel.messages if any(p.search(m.text) for p in patterns)]


def _not_built_in(facts: Facts) -> Cause | None:
    if (facts.kernel.config or {}).get(_CONFIG) != "n":
        return None
    release = facts.kernel.release
    return Cause(
        "not-built",
        f"the kernel {release} was built without AMD's compute driver ({_CONFIG})",
        [f"configuration of {release}: {_CONFIG} is not set"],
        f"Boot the distribution's own kernel, or build this one with {_CONFIG}=y.",
    )


def _kernel_too_old(facts: Facts, card: Card) -> Cause | None:
    """Return the kernel does not know the chip, and AMD's driver is not built for it."""
    running = facts.kernel.release
    builds = facts.modules.dkms or []
    if not kernel_too_old(facts, card) or any(running in build.kernels for build in builds):
        return None
    first = card.chip.first_kernel.compute
    evidence = [f"{card.chip.name} is offered for computing from Linux {first} on"]
    built = [build for build in builds if build.kernels]
    remedy = f"Boot a kernel from {first} on; the stack's own range is in the check kernel-version."
    summary = f"the running kernel {running} does not offer {card.chip.name} for computing"
    if built:
        evidence += [f"AMD's driver {b.version} is built for {', '.join(b.kernels)}" for b in built]
        summary += ", and AMD's driver is built for another kernel"
    if built and dkms_packages(facts):
        remedy += f" Or, as root, build AMD's driver for it: dkms autoinstall -k {running}"
    return Cause("kernel-too-old", summary, evidence, remedy)


def rejected_firmware(facts: Facts) -> int | None:
    """Return the version of the MEC firmware for which the kernel rejected a card, if it says."""
    versions = [_REJECTED.search(line.text) for line in said(facts, "atomics")]
    return next((int(match[1]) for match in versions if match), None)


def atomics_remedy(facts: Facts, card: Card) -> str:
    """Return what helps a card that the kernel rejects for want of atomic operations."""
    slot = "Move the card to a slot of the processor itself"
    if card.chip.has_workstation_firmware(card.device, card.revision):
        return f"{slot}: its firmware is version 123 in every release, and newer does not exist."
    if rejected_firmware(facts) is not None:
        return (
            "Install the firmware of a current release, which does without atomics (the check "
            f"firmware names the package), and reboot. Or: {slot[0].lower()}{slot[1:]}."
        )
    return f"{slot}."


def _no_atomics(facts: Facts, card: Card) -> Cause | None:
    """Return the cause where the kernel rejects the card, or its board lacks what it needs."""
    lines = list(dict.fromkeys(line.shown for line in said(facts, "atomics")))[:3]
    remedy = atomics_remedy(facts, card)
    if lines:
        version = rejected_firmware(facts)
        old = f" with MEC firmware {version}" if version is not None else ""
        summary = f"the kernel says that PCI Express rejects atomic operations{old}"
        return Cause("atomics", summary, lines, remedy)
    link = next((link for link in facts.pcie or [] if link.slot == card.slot), None)
    if link is None or link.atomics is not False:
        return None
    if not card.chip.has_workstation_firmware(card.device, card.revision):
        return None
    summary = f"there are no PCIe atomics at its slot, and the {card.board} never does without"
    return Cause("atomics", summary, [f"{card.slot}: no PCIe atomics"], remedy)


def message_cause(facts: Facts) -> Cause | None:
    """Return the cause that a saved message of the kernel names, or None where none does."""
    for message in _MESSAGES:
        lines = said(facts, message.id)
        if lines:
            shown = list(dict.fromkeys(line.shown for line in lines))[:3]
            return Cause(message.id, message.summary, shown, message.remedy)
    return None


def _shared(facts: Facts, card: Card) -> Cause | None:
    if card.chip.gfx_target not in _WHOLE_CARD_ONLY:
        return None
    link = next((link for link in facts.pcie or [] if link.slot == card.slot), None)
    if link is not None and link.virtual_function:
        return Cause(
            "virtual-function",
            f"{card.slot} is a virtual function, and {card.chip.name} computes as a whole only",
            [f"{card.slot}: a part of a shared card (SR-IOV)"],
            "Use the whole card: pass it through (VFIO), or switch SR-IOV off on the host.",
        )
    if facts.virtualization is None:
        return None
    return Cause(
        "virtual-machine",
        f"this virtual machine ({facts.virtualization}) may have been given a part of the card",
        [f"{card.chip.name} computes as a whole card only"],
        "Pass the whole card through (VFIO), not a virtual function of it.",
    )
