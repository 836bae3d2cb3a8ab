"""Files that hold options of the kernel's command line, and the lines about graphics in them."""

from __future__ import annotations

import re

from ..rootfs import RootFs
from .unknown import Unknown

# GRUB, Pop!_OS' kernelstub, systemd-boot with kernel-install (Proxmox), boards with U-Boot.
_FILES = (
    "/etc/default/grub",
    "/etc/kernelstub/configuration",
    "/etc/kernel/cmdline",
    "/boot/cmdline.txt",
)
_FOLDERS = (
    ("/etc/default/grub.d", ".cfg"),
    ("/boot/loader/entries", ".conf"),
    ("/boot/efi/loader/entries", ".conf"),
    ("/efi/loader/entries", ".conf"),
)
_OPTION = re.compile(r"\b(?:nomodeset|amdgpu|module_blacklist|modprobe\.blacklist)\b")


def boot_settings(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return ``file``, ``line`` and ``text`` of each line with an option about the driver.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each file or folder that cannot be read.
    """
    paths = list(_FILES)
    for folder, end in _FOLDERS:
        names = (
            unknown.collect(f"kernel.boot_settings.{folder}", rootfs.optional_names, folder) or []
        )
        paths += [f"{folder}/{name}" for name in names if name.endswith(end)]
    found: list[dict[str, object]] = []
    for path in paths:
        text = unknown.collect(f"kernel.boot_settings.{path}", rootfs.optional_text, path) or ""
        for number, line in enumerate(text.splitlines(), 1):
            if _OPTION.search(line) and not line.lstrip().startswith("#"):
                found.append({"file": path, "line": number, "text": line.strip()[:200]})
    return found
