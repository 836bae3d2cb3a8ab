"""Checks of the card, its driver and the devices that the driver makes."""

from __future__ import annotations

from typing import Literal

from rdna1.preflight.checks.access import device_access
from rdna1.preflight.checks.boot_options import stopping_options
from rdna1.preflight.checks.kernel import missing_firmware
from rdna1.preflight.containers import pass_devices
from rdna1.preflight.facts import Display
from rdna1.preflight.machine import (
    Card,
    missing_cards,
    node_name,
    rdna1_cards,
)
from rdna1.preflight.missing_card import kernel_too_old, message_cause, why_missing
from rdna1.preflight.model import Case, CheckOutcome, check

_UDEV_RULES = "systemd/systemd rules.d/50-udev-default.rules.in"
_THUNK = "ROCm/ROCT-Thunk-Interface src/topology.c at rocm-5.7.1"
_KFD_DEVICE = "torvalds/linux drivers/gpu/drm/amd/amdkfd/kfd_device.c"


@check(
    "card",
    "An RDNA1 card",
    references=(
        "torvalds/linux drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c",
        "pciutils/pciids pci.ids",
    ),
)
def card(case: Case) -> CheckOutcome:
    """The stacks are for RDNA1: Radeon RX 5000 and the Pro cards with the same chips.

    The board is known by its PCI id among the devices of the display class. The sound,
    USB and bridge functions of the same chips carry similar ids and names and are not cards.
    Other AMD cards need other stacks, and newer ones need no special stack at all.
    """
    cards = rdna1_cards(case)
    if not cards:
        return _no_card(case)
    names = [f"{card.board} ({card.chip.name}, {card.chip.gfx_target})" for card in cards]
    wrong = {card.chip.gfx_target for card in cards} - set(case.stack.gfx_targets)
    if wrong:
        summary = f"the stack {case.stack.name} has nothing for {', '.join(sorted(wrong))}"
        return CheckOutcome("fail", summary, names, "Choose a stack that serves this card.")
    return CheckOutcome("pass", "; ".join(names), [f"PCI device at {card.slot}" for card in cards])


@check(
    "kernel-driver",
    "Kernel driver of the card",
    needs=("card",),
    references=("ROCm/ROCm#5555", "modprobe.d(5)"),
)
def kernel_driver(case: Case) -> CheckOutcome:
    """The kernel's own driver amdgpu must be bound to the card.

    It is loaded by itself unless a file in modprobe.d or the kernel's command line keeps it
    out, or another driver, vfio-pci for a virtual machine for example, took the card.
    """
    amdgpu = case.facts.amdgpu
    cards = rdna1_cards(case)
    drivers = [f"{card.slot}: {card.driver or 'no driver'}" for card in cards]
    kept_out = [f"{place} keeps amdgpu from loading" for place in amdgpu.blacklisted or []]
    options = stopping_options(case)
    if any(card.driver == "amdgpu" for card in cards):
        return _bound(cards, kept_out)
    others = sorted({card.driver for card in cards if card.driver})
    if others:
        names = ", ".join(others)
        return CheckOutcome(
            "fail",
            f"the card is bound to {names}, not to amdgpu",
            drivers + kept_out,
            f"Remove what binds it to {names} (grep -r {others[0]} /etc/modprobe.d "
            "/etc/default/grub names it), run update-initramfs -u, then reboot. A virtual machine "
            "that uses the card loses it."
            if others == ["vfio-pci"]
            else f"Remove what binds it to {names}, then reboot.",
        )
    loaded = ["the module amdgpu is not loaded"] if amdgpu.loaded is False else []
    why, remedy = _not_started(case, amdgpu.blacklisted or [], options)
    summary = f"no driver is bound to the card{why and f': {why}'}"
    return CheckOutcome("fail", summary, drivers + loaded + kept_out, remedy)


@check(
    "kfd",
    "Compute interface of the driver",
    needs=("card", "kernel-driver"),
    references=(_KFD_DEVICE, _UDEV_RULES, "ROCm/ROCm#1318", "ROCm/ROCm#1643"),
)
def kfd(case: Case) -> CheckOutcome:
    """Every ROCm program opens /dev/kfd and looks for the card among KFD's nodes.

    The driver leaves a card out where it does not know the chip yet, where it was built
    without its compute part, as a virtual function, and without PCIe atomics and with old
    MEC firmware. The group of /dev/kfd is render by udev's own rules; another group shuts
    users out.
    """
    facts = case.facts
    cards = rdna1_cards(case)
    unknown = facts.kfd.nodes is None or bool(facts.unread("kfd.nodes"))
    missing = [] if unknown else missing_cards(case, cards)
    device_unknown = "kfd.device" in facts.unknown
    if facts.kfd.device is None and not device_unknown:
        return _no_device(case, cards)
    # What the topology decides does not wait for the device file.
    if len(missing) == len(cards):
        return _not_offered(case, missing, cards)
    device = facts.known_or_absent(lambda f: f.kfd.device)
    access = device_access(case, device) if device else _no_device(case, cards)
    return _not_offered(case, missing, cards) if missing and access.status != "fail" else access


@check(
    "render-nodes",
    "Render nodes of the driver",
    needs=("card", "kernel-driver"),
    references=(_THUNK, "systemd/systemd rules.d/50-udev-default.rules.in"),
)
def render_nodes(case: Case) -> CheckOutcome:
    """ROCm opens the card's render node, /dev/dri/renderD128 for example, next to /dev/kfd.

    A card without one is left out of ROCm's list, so programs see no card at all.
    """
    nodes = case.facts.known(lambda f: f.render_nodes)
    if nodes:
        return CheckOutcome("pass", ", ".join(node.path for node in nodes))
    kind = case.facts.container
    remedy = (
        "As root: udevadm trigger --subsystem-match=drm. Where that makes none, read why in: "
        "dmesg | grep amdgpu"
    )
    if kind is not None and kind != "wsl":
        remedy = pass_devices(kind)
    return CheckOutcome("fail", "there is no render node in /dev/dri", remedy=remedy)


def _no_card(case: Case) -> CheckOutcome:
    """Report no RDNA1 card, and where one may be that this machine does not see."""
    facts = case.facts
    seen = [_device_name(display) for display in facts.displays or []]
    if facts.container == "wsl":
        summary = "no RDNA1 card: Windows' subsystem for Linux shows no PCI device"
        return CheckOutcome("fail", summary, seen, "See wsl.")
    if facts.displays is None:
        nodes = [node_name(node, case.cards) for node in facts.kfd.nodes or []]
        return CheckOutcome(
            "fail",
            "the driver offers no RDNA1 card for computing, and the PCI bus could not be read",
            [f"not read: {facts.unknown.get('displays', 'the PCI devices')}", *nodes],
            "See whether lspci shows a card of the Radeon RX 5000 series. Where it does, the "
            "driver left it out: look for the reason, as root, in dmesg | grep -i kfd",
        )
    remedy = (
        "Use this stack with a card of the Radeon RX 5000 series. "
        "Newer AMD cards are served by a current ROCm instead."
    )
    if facts.virtualization is not None and facts.container is None:
        remedy += " Where the host has one, pass it through to this virtual machine (VFIO)."
    seen = seen or ["no display device on the PCI bus"]
    return CheckOutcome("fail", "no RDNA1 card", seen + facts.unread("displays"), remedy)


def _device_name(display: Display) -> str:
    driver = f", driver {display.driver}" if display.driver else ""
    return f"{display.slot}: PCI device {display.vendor}:{display.device}{driver}"


def _bound(cards: list[Card], kept_out: list[str]) -> CheckOutcome:
    """Return the driver has a card now; whether it has all, and will have it after a reboot."""
    drivers = [f"{card.slot}: {card.driver or 'no driver'}" for card in cards]
    if kept_out:
        return CheckOutcome(
            "warn",
            "amdgpu is bound to the card now, but may not be after a reboot",
            kept_out,
            "Remove these settings, then run: update-initramfs -u",
        )
    return CheckOutcome("pass", "amdgpu is bound to the card", drivers)


def _not_started(case: Case, places: list[str], options: list[str]) -> tuple[str, str]:
    """Return why no driver is bound (empty where nothing tells), and how one gets to the card."""
    facts = case.facts
    files = [place for place in places if not place.startswith("/proc/")]
    if options:
        remedy = "See boot-options: the kernel was started so that no such driver starts."
        more = f" Take it out of {', '.join(files)} as well, and run update-initramfs -u."
        return options[0], remedy + more * bool(files)
    if files:
        remedy = "Remove these settings, run update-initramfs -u, then reboot."
        return "settings keep it from loading", remedy
    running, have = facts.kernel.release, facts.modules.with_amdgpu
    if have is not None and running not in have and not facts.amdgpu.loaded:
        why = "the running kernel has no module amdgpu"
        return why, f"See installed-kernels: {why}."
    if any(kernel_too_old(facts, card) for card in rdna1_cards(case)):
        return "the running kernel does not know it", "See kernel-version: boot a newer kernel."
    if cause := message_cause(facts):
        return cause.summary, cause.remedy
    if missing_firmware(case):
        return "firmware files are missing", "See firmware: without these files it does not start."
    if facts.amdgpu.loaded is False:
        return "", "As root: modprobe amdgpu. Where it says an error, dmesg tells more."
    remedy = (
        "The module is loaded and did not start the card: read why, as root, in dmesg | grep amdgpu"
    )
    return "", remedy


def _not_offered(case: Case, missing: list[Card], cards: list[Card]) -> CheckOutcome:
    """Return KFD leaves cards out: a failure where none is left, with the cause if one is known."""
    nodes = [node_name(node, case.cards) for node in case.facts.kfd.nodes or []]
    cause = why_missing(case, missing[0])
    evidence = [f"missing: {card.name}" for card in missing] + nodes
    status: Literal["fail", "warn"] = "fail" if len(missing) == len(cards) else "warn"
    what = "the card" if len(missing) == len(cards) else f"{len(missing)} of {len(cards)} cards"
    summary = f"the driver does not offer {what} for computing"
    if cause is None:
        remedy = "Look for the reason in the kernel's messages, as root: dmesg | grep -i kfd"
        return CheckOutcome(status, summary, evidence, remedy)
    return CheckOutcome(
        status, f"{summary}: {cause.summary}", cause.evidence + evidence, cause.remedy
    )


def _no_device(case: Case, cards: list[Card]) -> CheckOutcome:
    facts = case.facts
    kind = facts.container
    if kind is not None and kind != "wsl":
        remedy = pass_devices(kind)
        return CheckOutcome("fail", f"there is no /dev/kfd in this container ({kind})", [], remedy)
    cause = why_missing(case, cards[0])
    if cause is None:
        remedy = "Look for kfd in the kernel's messages, as root: dmesg | grep -i kfd"
        return CheckOutcome("fail", "there is no /dev/kfd", remedy=remedy)
    return CheckOutcome(
        "fail", f"there is no /dev/kfd: {cause.summary}", cause.evidence, cause.remedy
    )
