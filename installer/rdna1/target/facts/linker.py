"""Folders in which the dynamic linker looks for libraries besides its own (ldconfig(8))."""

from __future__ import annotations

from ..rootfs import RootFs
from .unknown import Unknown

_FILE = "/etc/ld.so.conf"
# Debian's and Ubuntu's /etc/ld.so.conf includes *.conf in it, and nothing else.
_FOLDER = "/etc/ld.so.conf.d"


def library_folders(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return ``file``, ``line`` and ``folder`` of each entry of the linker's configuration.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each file that cannot be read.

    Raises:
        UnreadableError: the folder of the configuration cannot be read.
    """
    names = [name for name in rootfs.optional_names(_FOLDER) if name.endswith(".conf")]
    found: list[dict[str, object]] = []
    for path in (_FILE, *(f"{_FOLDER}/{name}" for name in names)):
        text = unknown.collect(f"library_folders.{path}", rootfs.optional_text, path) or ""
        for number, line in enumerate(text.splitlines(), 1):
            folder = line.partition("#")[0].strip()
            if folder.startswith("/"):
                found.append({"file": path, "line": number, "folder": folder})
    return found
