"""Which card a measurement would run on: the place on the PCI bus of torch's ``cuda:N``.

ROCr takes KFD's nodes in their order and leaves what ROCR_VISIBLE_DEVICES names (ROCR-Runtime
core/runtime/amd_topology.cpp, BuildTopology); HIP keeps that order, leaves what
HIP_VISIBLE_DEVICES names, else CUDA_VISIBLE_DEVICES (clr rocclr/device/rocm/rocdevice.cpp,
Device::init), and torch counts what is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from rdna1.catalog.cards import card_list
from rdna1.preflight.checks.visible_devices import left_by
from rdna1.preflight.facts import KfdNode
from rdna1.target.facts.gpu import nodes
from rdna1.target.facts.unknown import Unknown
from rdna1.target.rootfs import RootFs, UnreadableError

_INDEX = re.compile(r"cuda:([0-9]{1,4})")


class MeasuredCard(NamedTuple):
    """The card of a device of torch's.

    Attributes:
        slot: its place on the PCI bus, or None where that is not certain.
        unknown: why it is not, empty where it is.
    """

    slot: str | None
    unknown: str


def measured_card(rootfs: RootFs, device: str, environment: Mapping[str, str]) -> MeasuredCard:
    """Return which card a device of torch's is.

    Args:
        rootfs: of the machine.
        device: ``auto``, ``cuda`` or ``cuda:N``; the first two are the first card.
        environment: of the measurement.
    """
    match = _INDEX.fullmatch(device)
    index = int(match[1]) if match else 0
    unread = Unknown()
    try:
        listed = msgspec.convert(nodes(rootfs, unread), list[KfdNode])
    except UnreadableError as error:
        return _unread(str(error))
    if unread:
        return _unread(next(iter(unread.values())))
    left = left_by(environment, [node for node in listed if node.simd_count > 0])
    if left is None:
        return MeasuredCard(None, "a variable names GPUs by ids that this kernel does not tell")
    if index >= len(left):
        return MeasuredCard(None, f"KFD and the variables leave {len(left)} of them")
    # Of an ISA that a release of the runtime does not know it leaves out a GPU, and counts on.
    others = [node for node in left[: index + 1] if not _is_rdna1(node)]
    if others:
        names = ", ".join(f"{node.vendor_id}:{node.device_id}" for node in others)
        return MeasuredCard(None, f"whether the runtime counts {names} depends on its release")
    slot = left[index].slot
    return MeasuredCard(slot, "" if slot else "this kernel does not tell where its GPUs are")


def _unread(reason: str) -> MeasuredCard:
    return MeasuredCard(None, f"KFD's topology could not be read: {reason}")


def _is_rdna1(node: KfdNode) -> bool:
    return card_list().find(node.vendor_id, node.device_id) is not None
