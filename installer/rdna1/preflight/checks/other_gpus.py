"""Checks of the GPUs next to the card."""

from __future__ import annotations

from typing import NamedTuple

from rdna1.catalog.gfx_targets import INTEGRATED, is_newer
from rdna1.preflight.checks.visible_devices import left_of
from rdna1.preflight.machine import (
    gpu_nodes,
    is_integrated,
    node_name,
    rdna1_cards,
    target_of,
)
from rdna1.preflight.model import Case, CheckOutcome, check

_OVERRIDE = "HSA_OVERRIDE_GFX_VERSION"
_THUNK = "ROCm/ROCT-Thunk-Interface src/topology.c at rocm-5.7.1"
_KFD_DEVICE = "torvalds/linux drivers/gpu/drm/amd/amdkfd/kfd_device.c"
_PCI_IDS = "torvalds/linux drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c"
_LLVM = "llvm/llvm-project llvm/docs/AMDGPUUsage.rst"

_CYAN_SKILLFISH = "gfx1013"
_CYAN_SKILLFISH_IDS = frozenset(["13db", "13f9", "13fa", "13fb", "13fc", "13fe", "143f"])


@check(
    "several-cards",
    "One kind of RDNA1 card",
    needs=("card",),
    references=(_THUNK, "ROCm/legacy-rocm-build#3065", "ROCm/ROCT-Thunk-Interface#104"),
)
def several_cards(case: Case) -> CheckOutcome:
    """HSA_OVERRIDE_GFX_VERSION is read once for all cards of a program.

    ROCm 5 knows no override for one card alone. Cards of different chips have different
    limits too: what was measured on one says nothing about the other.
    """
    cards = rdna1_cards(case)
    names = [f"{card.slot}: {card.board} ({card.chip.gfx_target})" for card in cards]
    targets = sorted({card.chip.gfx_target for card in cards})
    if len(targets) > 1:
        return CheckOutcome(
            "warn",
            f"there are RDNA1 cards of different chips: {', '.join(targets)}",
            names,
            "Give a program one of them with ROCR_VISIBLE_DEVICES, and measure each with "
            "rdna1-validate boundary --device cuda:N.",
        )
    if len(cards) > 1:
        return CheckOutcome("pass", f"{len(cards)} cards of one chip, {targets[0]}", names)
    return CheckOutcome("pass", f"one card, {targets[0]}", names)


@check(
    "integrated-gpu",
    "No integrated AMD GPU (iGPU) next to the card",
    needs=("card",),
    references=(
        _THUNK,
        _LLVM,
        "ROCm/ROCm docs/deploy/linux/os-native/install.md at docs/5.7.0",
        "oobabooga/textgen#7319",
        "unslothai/unsloth#7272",
        "ROCm/rocm-systems#11549",
    ),
)
def integrated_gpu(case: Case) -> CheckOutcome:
    """ROCm lists an integrated AMD GPU (iGPU) next to the card.

    The override makes both the same target, programs may take the wrong one, and code for
    the card crashes there. AMD's guide for 5.7 asks to disable it in the BIOS. Hiding it
    needs ROCR_VISIBLE_DEVICES: HIP_VISIBLE_DEVICES only acts after the runtime has
    started on all of them.
    """
    nodes = gpu_nodes(case.facts)
    integrated = [node for node in nodes if is_integrated(node, case.cards)]
    if not integrated:
        return CheckOutcome("pass", "the driver offers no AMD graphics of a processor")
    names = [node_name(node, case.cards) for node in integrated]
    if not any(node in left for node in integrated for left in left_of(case.facts)):
        return CheckOutcome(
            "pass", "a variable hides the processor's graphics from programs", names
        )
    cards = [
        str(index)
        for index, node in enumerate(nodes)
        if case.cards.find(node.vendor_id, node.device_id)
    ]
    visible = f"Set ROCR_VISIBLE_DEVICES={','.join(cards)}, or d" if cards else "D"
    return CheckOutcome(
        "warn",
        f"{_OVERRIDE} would be read for the processor's graphics too",
        names,
        f"{visible}isable the processor's graphics in the BIOS.",
    )


@check(
    "other-card",
    "AMD cards of other generations",
    references=(_THUNK, _KFD_DEVICE, "ROCm/legacy-rocm-build#5069", "ROCm/rocm-systems#3461"),
)
def other_card(case: Case) -> CheckOutcome:
    """A newer AMD card needs no such stack, and suffers next to an RDNA1 card.

    RDNA2 and later are served by a current ROCm or by code that the wheels hold. The
    override that an RDNA1 card needs makes newer cards run code of another chip: kernels
    crash and the card is reset. The generation is known from the target that the compute
    driver reports.
    """
    others = _other_cards(case)
    if not others:
        return CheckOutcome("pass", "there is no AMD card of another generation")
    discrete = [
        other
        for other in others
        if other.target not in INTEGRATED and other.device not in case.cards.integrated
    ]
    evidence = [other.shown for other in discrete]
    newer = sorted({other.target for other in discrete if other.target and is_newer(other.target)})
    alone = not rdna1_cards(case)
    if newer and alone:
        return CheckOutcome(
            "warn",
            f"this card is newer than RDNA1 ({', '.join(newer)}) and needs no such stack",
            evidence,
            "Install a current ROCm and PyTorch as their own guides say, and unset "
            f"{_OVERRIDE} unless the card's own guide asks for it.",
        )
    if alone and discrete:
        return CheckOutcome(
            "warn",
            "there is another AMD GPU; these stacks are for RDNA1 alone",
            evidence,
            "Look up which ROCm serves this card.",
        )
    computing = {other.target or f"1002:{other.device}" for other in discrete if other.offered}
    if computing:
        return CheckOutcome(
            "warn",
            f"{_OVERRIDE} would be read for {', '.join(sorted(computing))} too",
            evidence,
            "Set the override and ROCR_VISIBLE_DEVICES only for programs of the RDNA1 card.",
        )
    return CheckOutcome("pass", "no other AMD card is offered for computing", evidence)


@check(
    "cyan-skillfish",
    "Not gfx1013 (BC-250)",
    references=(_KFD_DEVICE, _PCI_IDS, _LLVM),
)
def cyan_skillfish(case: Case) -> CheckOutcome:
    """The processor of the BC-250 carries an RDNA1 relative, gfx1013, that no stack serves.

    It is called Cyan Skillfish. Kernels for gfx1010 or gfx1030 were not built for it, and
    nobody is known to have measured a limit there.
    """
    if case.facts.kfd.nodes is None:
        case.facts.known(lambda f: f.displays)
    found = [
        f"{d.slot}: PCI device {d.vendor}:{d.device}"
        for d in case.facts.displays or []
        if d.vendor == case.cards.vendor and d.device in _CYAN_SKILLFISH_IDS
    ]
    found += [
        node_name(node, case.cards)
        for node in case.facts.kfd.nodes or []
        if node.gfx_target == _CYAN_SKILLFISH
    ]
    if not found:
        return CheckOutcome("pass", f"nothing here is {_CYAN_SKILLFISH}")
    return CheckOutcome(
        "fail",
        f"Cyan Skillfish ({_CYAN_SKILLFISH}) is not a target of any stack here",
        found,
        "Use another card, or programs that compute with Vulkan.",
    )


class _Other(NamedTuple):
    """An AMD GPU of another generation: ``target`` is None where the driver names none."""

    slot: str
    device: str
    target: str | None
    offered: bool

    @property
    def shown(self) -> str:
        """It as evidence."""
        unnamed = "its kernel names no gfx target" if self.offered else "not offered"
        return f"{self.slot}: 1002:{self.device}, {self.target or unnamed}"


def _other_cards(case: Case) -> list[_Other]:
    """Return AMD's GPUs that are not RDNA1: by the PCI bus, by KFD where the bus cannot be read.

    Raises:
        UnknownFactError: what is needed of the two could not be read.
    """
    displays = case.facts.displays
    seen = (
        [(node.slot or f"KFD node {node.node}", node) for node in gpu_nodes(case.facts)]
        if displays is None
        else []
    )
    found = [(slot, node.vendor_id, node.device_id) for slot, node in seen]
    found += [(display.slot, display.vendor, display.device) for display in displays or []]
    others = [
        (slot, device)
        for slot, vendor, device in found
        if vendor == case.cards.vendor
        and device not in _CYAN_SKILLFISH_IDS
        and case.cards.find(vendor, device) is None
    ]
    if not others:
        return []
    nodes = {n.device_id: n for n in gpu_nodes(case.facts) if n.vendor_id == case.cards.vendor}
    return [
        _Other(
            slot,
            device,
            target_of(nodes[device], case.cards) if device in nodes else None,
            device in nodes,
        )
        for slot, device in others
    ]
