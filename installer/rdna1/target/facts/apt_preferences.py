"""Pins of apt (apt_preferences(5))."""

from __future__ import annotations

import re

from ..rootfs import RootFs
from . import deb822
from .unknown import Unknown

_FILE = "/etc/apt/preferences"
_FOLDER = "/etc/apt/preferences.d"
# Other names in the folder are ignored by apt.
_NAME = re.compile(r"[\w-]+|[\w.-]+\.pref", re.ASCII)
_PRIORITY = re.compile(r"[+-]?\d{1,6}", re.ASCII)


def pins(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return ``file``, ``line``, ``packages``, ``pin`` and ``priority`` of each pin.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each file that cannot be read.

    Raises:
        UnreadableError: the folder of the preferences cannot be read.
    """
    names = [name for name in rootfs.optional_names(_FOLDER) if _NAME.fullmatch(name)]
    return [
        pin
        for path in (_FILE, *(f"{_FOLDER}/{name}" for name in names))
        for pin in unknown.collect(f"apt.pins.{path}", _of_file, rootfs, path) or []
    ]


def _of_file(rootfs: RootFs, path: str) -> list[dict[str, object]]:
    return [
        {
            "file": path,
            "line": line,
            "packages": fields["package"].split(),
            "pin": " ".join(fields["pin"].split()),
            "priority": int(fields["pin-priority"]),
        }
        for line, fields in deb822.paragraphs(rootfs.optional_text(path) or "")
        if {"package", "pin"} <= fields.keys()
        and _PRIORITY.fullmatch(fields.get("pin-priority", ""))
    ]
