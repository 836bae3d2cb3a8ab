"""What several checks derive from the facts: the RDNA1 cards, and KFD's GPUs."""

from __future__ import annotations

import re
from typing import NamedTuple

from rdna1.catalog.cards import CardList, Chip
from rdna1.catalog.gfx_targets import INTEGRATED
from rdna1.preflight.facts import Facts, KfdNode, UnknownFactError
from rdna1.preflight.model import Case

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


class Card(NamedTuple):
    """An RDNA1 card: as the PCI bus shows it, or KFD where the bus cannot be read.

    Attributes:
        slot: its place on the PCI bus.
        vendor: its PCI vendor id.
        device: its PCI device id.
        revision: its PCI revision, or None.
        driver: that is bound to it, or None.
        chip: what it carries.
        board: its name.
        node: what KFD made of it, or None.
    """

    slot: str
    vendor: str
    device: str
    revision: str | None
    driver: str | None
    chip: Chip
    board: str
    node: KfdNode | None

    @property
    def name(self) -> str:
        """Place and board."""
        return f"{self.slot}: {self.board} ({self.chip.name}, {self.chip.gfx_target})"


def rdna1_cards(case: Case) -> list[Card]:
    """Return the RDNA1 cards.

    Raises:
        UnknownFactError: neither the PCI bus nor KFD's nodes could be read.
    """
    facts = case.facts
    if facts.displays is None and facts.kfd.nodes is not None:
        return [
            Card(
                n.slot or f"KFD node {n.node}", n.vendor_id, n.device_id, None, "amdgpu", *match, n
            )
            for n in gpu_nodes(facts)
            if (match := case.cards.find(n.vendor_id, n.device_id)) is not None
        ]
    return [
        Card(
            d.slot, d.vendor, d.device, d.revision, d.driver, *match, _node(facts, d.device, d.slot)
        )
        for d in facts.known(lambda f: f.displays)
        if (match := case.cards.find(d.vendor, d.device, d.revision)) is not None
    ]


def cards_if_known(case: Case) -> list[Card]:
    """Return the RDNA1 cards, none where nothing tells of them."""
    try:
        return rdna1_cards(case)
    except UnknownFactError:
        return []


def gpu_nodes(facts: Facts) -> list[KfdNode]:
    """Return KFD's GPUs in the order in which ROCm numbers them.

    Raises:
        UnknownFactError: the nodes could not be read.
    """
    nodes = facts.known(lambda f: f.kfd.nodes)
    return [node for node in nodes if node.simd_count > 0]


def missing_cards(case: Case, cards: list[Card]) -> list[Card]:
    """Return those that KFD does not offer.

    Raises:
        UnknownFactError: one is not among the nodes, and not all of these could be read.
    """
    case.facts.known(lambda f: f.kfd.nodes)
    missing = [card for card in cards if card.node is None]
    unread = case.facts.unread("kfd.nodes")
    if missing and unread:
        raise UnknownFactError(unread[0])
    return missing


def target_of(node: KfdNode, cards: CardList) -> str | None:
    """Return the gfx target of a node, also on a kernel that names none: then by its PCI id."""
    match = cards.find(node.vendor_id, node.device_id)
    return node.gfx_target or (match[0].gfx_target if match else None)


def is_integrated(node: KfdNode, cards: CardList) -> bool:
    """Return whether a GPU is part of a processor."""
    return (
        node.gfx_target in INTEGRATED
        or node.cpu_cores > 0
        or (node.vendor_id == cards.vendor and node.device_id in cards.integrated)
    )


def node_name(node: KfdNode, cards: CardList) -> str:
    """Return number, PCI id and target of a node, as evidence."""
    if node.simd_count == 0:
        return f"KFD node {node.node}: processor"
    target = target_of(node, cards) or "its kernel names no gfx target"
    return f"KFD node {node.node}: {node.vendor_id}:{node.device_id}, {target}"


def kernel_version(release: str) -> tuple[int, int] | None:
    """Return major and minor of a kernel's release, or None where it has none."""
    match = _VERSION.match(release)
    return (int(match[1]), int(match[2])) if match else None


def version_pair(version: str) -> tuple[int, int]:
    """Return major and minor of a ``major.minor`` of the data files."""
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def dkms_packages(facts: Facts) -> list[str]:
    """Return installed packages that build AMD's own driver, of any age of ROCm."""
    return [name for name in facts.apt.packages or {} if name in DRIVER_PACKAGES]


# AMD's own driver: amdgpu-dkms since ROCm 4, rock-dkms before; rocm-dkms only depends on it.
DRIVER_PACKAGES = ("amdgpu-dkms", "rock-dkms", "rocm-dkms")


def _node(facts: Facts, device: str, slot: str) -> KfdNode | None:
    """Return the node of a card; two cards of one board differ in their slots only."""
    nodes = [node for node in facts.kfd.nodes or [] if node.simd_count > 0]
    return next((n for n in nodes if n.device_id == device and n.slot in (None, slot)), None)
