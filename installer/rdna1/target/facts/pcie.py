"""Links of the display devices on PCI Express: speed, width, atomics, virtual functions."""

from __future__ import annotations

import re

from ..rootfs import RootFs, UnreadableError
from .unknown import Unknown

_DEVICES = "/sys/bus/pci/devices"
_DISPLAY_CLASS = "0x03"
_WIDTH = re.compile(r"[0-9]{1,3}")

# Names, places and bits as in Linux' include/uapi/linux/pci_regs.h.
_OPEN_TO_ALL = 64  # bytes of the configuration space that users other than root may read
_STATUS, _STATUS_CAPABILITIES = 0x06, 0x10
_FIRST_CAPABILITY = 0x34
_EXPRESS = 0x10
_EXPRESS_VERSION = 0x0F
_DEVICE_CONTROL_2, _ATOMIC_REQUESTER = 0x28, 0x40
_MOST_CAPABILITIES = 48  # as many as fit behind the header


def links(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return the link of each display device.

    ``speed`` and ``max_speed`` are sysfs' text, ``16.0 GT/s PCIe`` for example; ``width``
    and ``max_width`` are lanes; all four are None for a device that is not on PCI Express.
    ``atomics`` tells whether the driver could switch atomic operations on, which it can
    where every bridge up to the processor passes them. ``virtual_function`` is True for the
    host's view of a part of a shared card.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each device, or part of it, that cannot be read.

    Raises:
        UnreadableError: the list of devices cannot be read.
    """
    slots = rootfs.names(_DEVICES)
    found = (unknown.collect(f"pcie.{slot}", _link, rootfs, slot, unknown) for slot in slots)
    return [link for link in found if link is not None]


def _link(rootfs: RootFs, slot: str, unknown: Unknown) -> dict[str, object] | None:
    folder = f"{_DEVICES}/{slot}"
    if not rootfs.text(f"{folder}/class").lower().startswith(_DISPLAY_CLASS):
        return None
    return {
        "slot": slot,
        "speed": _optional_line(rootfs, f"{folder}/current_link_speed"),
        "width": _lanes(rootfs, f"{folder}/current_link_width"),
        "max_speed": _optional_line(rootfs, f"{folder}/max_link_speed"),
        "max_width": _lanes(rootfs, f"{folder}/max_link_width"),
        "atomics": unknown.collect(f"pcie.{slot}.atomics", _atomics, rootfs, f"{folder}/config"),
        "virtual_function": rootfs.link_name(f"{folder}/physfn") is not None,
    }


def _optional_line(rootfs: RootFs, path: str) -> str | None:
    text = rootfs.optional_text(path)
    return None if text is None else text.strip()


def _lanes(rootfs: RootFs, path: str) -> int | None:
    text = _optional_line(rootfs, path)
    if text is None:
        return None
    if not _WIDTH.fullmatch(text):
        raise UnreadableError(f"{path}: no number of lanes")
    return int(text)


def _atomics(rootfs: RootFs, path: str) -> bool:
    space = rootfs.data(path, 4096)
    if len(space) <= _OPEN_TO_ALL:
        raise UnreadableError(f"{path}: only root may read beyond byte {_OPEN_TO_ALL}")
    place = _capability(space, _EXPRESS)
    if place is None:
        raise UnreadableError(f"{path}: no capability of PCI Express")
    # Version 1 of the capability ends before the second control register.
    if _byte(space, place + 2) & _EXPRESS_VERSION < 2:
        return False
    return bool(_byte(space, place + _DEVICE_CONTROL_2) & _ATOMIC_REQUESTER)


def _capability(space: bytes, wanted: int) -> int | None:
    if not _byte(space, _STATUS) & _STATUS_CAPABILITIES:
        return None
    place = _byte(space, _FIRST_CAPABILITY) & ~3
    for _ in range(_MOST_CAPABILITIES):
        if place < _OPEN_TO_ALL:
            return None
        if _byte(space, place) == wanted:
            return place
        place = _byte(space, place + 1) & ~3
    return None


def _byte(space: bytes, place: int) -> int:
    return space[place] if place < len(space) else 0
