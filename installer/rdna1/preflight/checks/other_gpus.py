"""Rules about the machine around the card: other cards, PCI Express, virtual machines."""

from __future__ import annotations

from typing import NamedTuple

from rdna1.catalog.gfx_targets import INTEGRATED, is_newer
from rdna1.preflight.checks.visible_devices import left_of
from rdna1.preflight.containers import pass_devices
from rdna1.preflight.facts import UnknownFactError
from rdna1.preflight.machine import (
    Card,
    gpu_nodes,
    is_integrated,
    missing_cards,
    node_name,
    rdna1_cards,
    target_of,
)
from rdna1.preflight.missing_card import (
    atomics_remedy,
    kernel_too_old,
    rejected_firmware,
    said,
    why_missing,
)
from rdna1.preflight.model import Case, CheckOutcome, check

_GIB = 1024**3
_LEAST_MEMORY_GIB = 4
# MEC firmware from this version on needs no atomic operations on PCI Express.
_MEC_WITHOUT_ATOMICS = 145

_OVERRIDE = "HSA_OVERRIDE_GFX_VERSION"
_THUNK = "ROCm/ROCT-Thunk-Interface src/topology.c at rocm-5.7.1"
_KFD_DEVICE = "torvalds/linux drivers/gpu/drm/amd/amdkfd/kfd_device.c"
_PCI_IDS = "torvalds/linux drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c"
_LLVM = "llvm/llvm-project llvm/docs/AMDGPUUsage.rst"

_CYAN_SKILLFISH = "gfx1013"
_CYAN_SKILLFISH_IDS = frozenset(["13db", "13f9", "13fa", "13fb", "13fc", "13fe", "143f"])
# Chips that the driver offers for computing on a whole card only (SR-IOV).
_WHOLE_CARD_ONLY = frozenset(["gfx1010", "gfx1012"])


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


@check(
    "memory",
    "Memory of the machine",
    references=("pytorch/pytorch#1022", "pytorch/pytorch#25164"),
)
def memory(case: Case) -> CheckOutcome:
    """Installing and importing PyTorch needs memory in addition to that of the card.

    Users with 4 GB saw installers killed with wheels a quarter as large as those of ROCm.
    What a program needs on top depends on its data.
    """
    found = case.facts.known(lambda f: f.memory_bytes) / _GIB
    if found < _LEAST_MEMORY_GIB:
        return CheckOutcome(
            "warn",
            f"{found:.1f} GiB of memory: below {_LEAST_MEMORY_GIB} GiB installers of PyTorch "
            "were killed",
            remedy="Add memory, or swap space for the time of the installation.",
        )
    return CheckOutcome("pass", f"{found:.1f} GiB of memory")


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
    """AMD's GPUs that are not RDNA1: by the PCI bus, by KFD where the bus cannot be read.

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
