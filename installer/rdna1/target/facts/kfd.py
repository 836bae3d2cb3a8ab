"""What the compute driver made of the cards: the nodes of its topology."""

from __future__ import annotations

import re

from ..rootfs import MissingError, RootFs, UnreadableError
from .unknown import Unknown

_NODES = "/sys/class/kfd/kfd/topology/nodes"
_NUMBER = re.compile(r"[0-9]{1,20}")  # at most 64 bits


def nodes(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return processors and cards that the driver offers for computing.

    ``vendor_id`` and ``device_id`` are four hex digits as on the PCI bus; ``gfx_target`` is
    LLVM's name, or None for a processor; ``fw_version`` is that of the MEC firmware;
    ``slot`` is the place on the PCI bus, or None where the driver gives none. ``cpu_cores`` is
    above 0 for a processor, also where its graphics are in the same node; ``unique_id`` is the
    16 hex digits by which ROCr knows a card, or None for one without.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each node that cannot be read.

    Raises:
        UnreadableError: the nodes cannot be listed.
    """
    try:
        names = rootfs.names(_NODES)
    except MissingError as error:
        if rootfs.live:
            return []
        raise UnreadableError(f"{error}; /sys belongs to a running machine") from error
    numbers = sorted(int(name) for name in names if _NUMBER.fullmatch(name))
    listed = (unknown.collect(f"kfd.nodes.{n}", _node, rootfs, n) for n in numbers)
    return [node for node in listed if node is not None]


def gfx_target(version: int) -> str | None:
    """Return LLVM's name of a ``gfx_target_version``.

    100100 is gfx1010, 90010 is gfx90a, 0 is none.
    """
    if version == 0:
        return None
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"


def _node(rootfs: RootFs, number: int) -> dict[str, object]:
    path = f"{_NODES}/{number}/properties"
    values = {}
    for line in rootfs.text(path).splitlines():
        key, _, value = line.partition(" ")
        if _NUMBER.fullmatch(value):
            values[key] = int(value)
    if "simd_count" not in values:
        raise UnreadableError(f"{path}: no simd_count")
    return {
        "node": number,
        "gfx_target": gfx_target(values.get("gfx_target_version", 0)),
        "simd_count": values["simd_count"],
        "vendor_id": f"{values.get('vendor_id', 0):04x}",
        "device_id": f"{values.get('device_id', 0):04x}",
        "fw_version": values.get("fw_version"),
        "slot": _slot(values.get("domain", 0), values.get("location_id", 0)),
        "cpu_cores": values.get("cpu_cores_count", 0),
        "unique_id": f"{values['unique_id']:016x}" if values.get("unique_id") else None,
    }


def _slot(domain: int, location: int) -> str | None:
    """Return the name of a place on the PCI bus: 8 bits of bus, 5 of device, 3 of function."""
    if location == 0:  # a processor, or an old kernel
        return None
    return f"{domain:04x}:{location >> 8:02x}:{location >> 3 & 31:02x}.{location & 7}"
