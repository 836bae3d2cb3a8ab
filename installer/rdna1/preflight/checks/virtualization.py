"""Checks of what is between the machine and its card: WSL, containers, virtual machines."""

from __future__ import annotations

from rdna1.preflight.containers import pass_devices
from rdna1.preflight.machine import (
    missing_cards,
    rdna1_cards,
)
from rdna1.preflight.missing_card import (
    why_missing,
)
from rdna1.preflight.model import Case, CheckOutcome, check

_KFD_DEVICE = "torvalds/linux drivers/gpu/drm/amd/amdkfd/kfd_device.c"
# Chips that the driver offers for computing on a whole card only (SR-IOV).
_WHOLE_CARD_ONLY = frozenset(["gfx1010", "gfx1012"])


@check(
    "wsl",
    "Not inside Windows",
    references=(
        "microsoft/WSL#40464",
        "ROCm/librocdxg README.md",
        "andweng/wsl-rocm README.md",
        "rocm.docs.amd.com install-on-windows docs-6.2.4 reference/system-requirements",
    ),
)
def wsl(case: Case) -> CheckOutcome:
    """Windows' subsystem for Linux has no amdgpu, no /dev/kfd and no PCI devices.

    It passes cards as /dev/dxg, which ROCm 5 does not know: only later versions have a
    bridge to it. AMD's table for Windows names one RDNA1 card, the W5500, as not served.
    """
    if case.facts.known_or_absent(lambda f: f.container) != "wsl":
        return CheckOutcome("pass", "this is not a Windows subsystem for Linux")
    return CheckOutcome(
        "fail",
        "Windows' subsystem for Linux has no /dev/kfd, which ROCm 5 needs",
        remedy="Install Linux next to Windows, or on another machine with the card.",
    )


@check(
    "container-devices",
    "Devices passed to the container",
    needs=("card",),
    references=("ROCm/ROCm docs/deploy/docker.md at docs/5.4.3", "ROCm/ROCm-docker#116"),
)
def container_devices(case: Case) -> CheckOutcome:
    """A container sees the card on the PCI bus, but may use only devices passed to it.

    These are /dev/kfd and /dev/dri. Their group is a number of the host: inside, the user
    needs that number, which often has another name or none.
    """
    facts = case.facts
    kind = facts.known_or_absent(lambda f: f.container)
    if kind is None or kind == "wsl":
        return CheckOutcome("pass", "this is not a container")
    if facts.known_or_absent(lambda f: f.kfd.device) is not None:
        return CheckOutcome("pass", f"/dev/kfd is in the container ({kind})")
    summary = f"no /dev/kfd was passed to this container ({kind})"
    return CheckOutcome("warn", summary, [], pass_devices(kind))


@check(
    "virtual-machine",
    "Card of a virtual machine",
    needs=("card", "kernel-driver"),
    references=(_KFD_DEVICE, "systemd-detect-virt(1)"),
)
def virtual_machine(case: Case) -> CheckOutcome:
    """A virtual machine can compute with a whole card that is passed to it.

    With a part of a shared card (SR-IOV) the driver offers Navi 12 for computing and not
    Navi 10 or Navi 14. From inside, a card that is missing among KFD's nodes is the sign.
    """
    facts = case.facts
    kind = facts.known_or_absent(lambda f: f.virtualization)
    if kind is None:
        return CheckOutcome("pass", "this is not a virtual machine")
    whole = [card for card in rdna1_cards(case) if card.chip.gfx_target in _WHOLE_CARD_ONLY]
    missing = missing_cards(case, whole)
    causes = {cause.id for card in missing if (cause := why_missing(case, card))}
    if missing and not causes & {"virtual-machine", "virtual-function"}:
        return CheckOutcome("skip", f"the card is missing for another reason than {kind}: see kfd")
    if not missing:
        return CheckOutcome("pass", f"the card is offered in this virtual machine ({kind})")
    return CheckOutcome(
        "warn",
        f"the driver does not offer the card in this virtual machine ({kind})",
        [card.name for card in missing],
        "Pass the whole card through (VFIO), not a virtual function of it.",
    )
