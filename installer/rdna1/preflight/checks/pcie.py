"""Check of the link between the processor and the card."""

from __future__ import annotations

from rdna1.preflight.facts import UnknownFactError
from rdna1.preflight.machine import (
    Card,
    missing_cards,
    rdna1_cards,
)
from rdna1.preflight.missing_card import (
    atomics_remedy,
    kernel_too_old,
    rejected_firmware,
    said,
    why_missing,
)
from rdna1.preflight.model import Case, CheckOutcome, check

# MEC firmware from this version on needs no atomic operations on PCI Express.
_MEC_WITHOUT_ATOMICS = 145
_KFD_DEVICE = "torvalds/linux drivers/gpu/drm/amd/amdkfd/kfd_device.c"


@check(
    "pcie-atomics",
    "Atomic operations on PCI Express",
    needs=("card", "kernel-driver"),
    references=(
        _KFD_DEVICE,
        "torvalds/linux include/uapi/linux/pci_regs.h",
        "ROCm/legacy-rocm-build#910",
        "xuhuisheng/rocm-build#18",
        "ROCm/ROCm CHANGELOG.md at docs/5.7.1",
    ),
)
def pcie_atomics(case: Case) -> CheckOutcome:
    """Without atomic operations the driver offers RDNA1 only with MEC firmware 145 or newer.

    Every bridge between the card and the processor must pass them; slots behind a chipset
    and old machines often do not. The kernel then says "PCI rejects atomics". The firmware of
    every current release is newer than that, so that such a card works and only printf and
    assert inside kernels do not; the Pro W5500, W5500M and W5300M have firmware of their own,
    version 123 everywhere, and never do without atomics.
    """
    facts = case.facts
    links = {link.slot: link.atomics for link in facts.pcie or []}
    cards = [card for card in rdna1_cards(case) if card.driver == "amdgpu"]
    outcomes = [_atomics(case, card, links.get(card.slot)) for card in cards]
    if not outcomes:
        return CheckOutcome("skip", "the card's link on PCI Express is not known")
    order = ("fail", "warn", "pass", "skip")
    worst = min(outcomes, key=lambda outcome: order.index(outcome.status))
    if worst.status == "fail" and any(card.node for card in cards):
        # A card that works computes whatever becomes of the other.
        return CheckOutcome("warn", worst.summary, worst.evidence, worst.remedy)
    return worst


def _atomics(case: Case, card: Card, on: bool | None) -> CheckOutcome:
    facts = case.facts
    if card.node is not None:
        firmware = "unknown" if card.node.fw_version is None else str(card.node.fw_version)
        offered = f"{card.slot}: offered for computing, MEC firmware {firmware}"
        if on is False:
            return CheckOutcome(
                "warn",
                "the card works without PCIe atomics; printf and assert in kernels do not",
                [offered],
                "Where these are needed, move the card to a slot of the processor itself.",
            )
        return CheckOutcome("pass", "the driver offers the card", [offered])
    missing_cards(case, [card])
    messages = [line.shown for line in said(facts, "atomics")]
    if on is None and not messages:
        fact = f"pcie.{card.slot}.atomics"
        raise UnknownFactError(facts.unknown.get(fact, f"the facts do not hold {fact}"))
    if on and not messages:
        return CheckOutcome("pass", "PCIe atomics are on; the card is missing for another reason")
    cause = why_missing(case, card)
    others = cause is not None and cause.id not in ("atomics", "virtual-machine")
    if not messages and (kernel_too_old(facts, card) or others):
        return CheckOutcome(
            "skip", f"no PCIe atomics at {card.slot}; what keeps the card away is in kfd"
        )
    return _without_atomics(case, card, messages)


def _without_atomics(case: Case, card: Card, messages: list[str]) -> CheckOutcome:
    evidence = ["the driver does not offer the card for computing", *messages]
    remedy = atomics_remedy(case.facts, card)
    if card.chip.has_workstation_firmware(card.device, card.revision):
        summary = f"no PCIe atomics at {card.slot}, and the {card.board} never does without"
        return CheckOutcome("fail", summary, evidence, remedy)
    summary = f"no PCIe atomics at {card.slot}; that counts with MEC firmware older than "
    version = rejected_firmware(case.facts)
    if version is not None:
        summary += f"{_MEC_WITHOUT_ATOMICS}, and this is {version}"
        return CheckOutcome("fail", summary, evidence, remedy)
    return CheckOutcome(
        "fail",
        f"{summary}{_MEC_WITHOUT_ATOMICS}, which is not known here",
        evidence,
        f"{remedy} Firmware of every current release is newer than that: where the package "
        "(see firmware) is older, update it and reboot. The kernel's words, where this is the "
        'reason: dmesg | grep "PCI rejects atomics"',
    )
