"""What saved logs of the kernel say about the card."""

from __future__ import annotations

import re

from ..rootfs import RootFs
from .unknown import Unknown

# The newest first: the first file with a boot in it counts.
FILES = ("/var/log/dmesg", "/var/log/kern.log", "/var/log/dmesg.0", "/var/log/syslog")
_LIMIT = 64 * 1024 * 1024
_BOOT = re.compile(r"^.*\bLinux version \d", re.M)
# The driver, its compute part, and what keeps a module from loading.
_TELLING = re.compile(r"^.*(?:\bkfd\b|amdgpu|PCI rejects atomics).*$", re.M | re.I)
_MOST_LINES = 200
_LONGEST = 300


def kernel_messages(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return ``place``, ``line`` and ``text`` of the messages about the card since the last boot.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each log that cannot be read.
    """
    for path in FILES:
        text = unknown.collect(f"kernel.messages.{path}", _text, rootfs, path) or ""
        found = telling_lines(path, text)
        if found:
            return found
    return []


def telling_lines(place: str, text: str) -> list[dict[str, object]]:
    """As `kernel_messages`, of one log.

    Args:
        place: name of the log.
        text: of the log, of any length.
    """
    boots = list(_BOOT.finditer(text))
    start = boots[-1].start() if boots else 0
    first = text.count("\n", 0, start) + 1
    found = []
    for line in _TELLING.finditer(text, start):
        number = first + text.count("\n", start, line.start())
        found.append({"place": place, "line": number, "text": line[0].strip()[:_LONGEST]})
        if len(found) == _MOST_LINES:
            break
    return found


def _text(rootfs: RootFs, path: str) -> str:
    return rootfs.text(path, _LIMIT) if rootfs.exists(path) else ""
