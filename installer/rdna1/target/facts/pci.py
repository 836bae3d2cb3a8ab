"""Display devices on the PCI bus, from sysfs."""

from __future__ import annotations

import re

from ..rootfs import RootFs, UnreadableError
from .unknown import Unknown

_DEVICES = "/sys/bus/pci/devices"
_DISPLAY_CLASS = "03"  # PCI base class of display controllers
_HEX = re.compile(r"0x([0-9a-f]+)", re.IGNORECASE)


def displays(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return devices of PCI class 03: ids as four hex digits, class as six, driver or None.

    ``revision`` is two hex digits, or None where the kernel does not show it.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each device that cannot be read.

    Raises:
        UnreadableError: the list of devices cannot be read.
    """
    slots = rootfs.names(_DEVICES)
    devices = (unknown.collect(f"displays.{slot}", _display, rootfs, slot) for slot in slots)
    return [device for device in devices if device is not None]


def _display(rootfs: RootFs, slot: str) -> dict[str, object] | None:
    folder = f"{_DEVICES}/{slot}"
    device_class = _number(rootfs, f"{folder}/class", 6)
    if not device_class.startswith(_DISPLAY_CLASS):
        return None
    return {
        "slot": slot,
        "vendor": _number(rootfs, f"{folder}/vendor", 4),
        "device": _number(rootfs, f"{folder}/device", 4),
        "subsystem_vendor": _number(rootfs, f"{folder}/subsystem_vendor", 4),
        "subsystem_device": _number(rootfs, f"{folder}/subsystem_device", 4),
        "class": device_class,
        "driver": rootfs.link_name(f"{folder}/driver"),
        "revision": _revision(rootfs, f"{folder}/revision"),
    }


def _revision(rootfs: RootFs, path: str) -> str | None:
    try:
        return _number(rootfs, path, 2)
    except UnreadableError:  # it names the board more exactly, and nothing else needs it
        return None


def _number(rootfs: RootFs, path: str, digits: int) -> str:
    text = rootfs.text(path).strip()
    match = _HEX.fullmatch(text)
    if match is None or len(match[1]) > digits:
        raise UnreadableError(f"{path}: no hexadecimal number of {digits} digits")
    return match[1].lower().rjust(digits, "0")
