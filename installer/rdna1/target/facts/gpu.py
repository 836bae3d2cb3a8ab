"""The kernel module amdgpu: loaded, and kept from loading."""

from __future__ import annotations

import re

from ..rootfs import MissingError, RootFs, UnreadableError

# In the order of modprobe.d(5): a name found in one folder hides it in the later ones.
_FOLDERS = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)
_KEPT_OUT = re.compile(
    r"\s*(blacklist\s+amdgpu|install\s+amdgpu\s+(/usr)?/bin/(false|true)"
    r"|options\s+amdgpu(\s+\S+)*\s+modeset=0(\s+\S+)*)\s*"
)
_KEPT_OUT_AT_BOOT = re.compile(r"(modprobe\.blacklist|module_blacklist)=(\S*,)?amdgpu(,\S*)?")


def loaded(rootfs: RootFs) -> bool:
    """Return whether the module is in the kernel.

    Raises:
        UnreadableError: there is no /sys to see it in.
    """
    try:
        return "amdgpu" in rootfs.names("/sys/module")
    except MissingError as error:
        raise UnreadableError(f"{error}; /sys belongs to a running machine") from error


def blacklisted(rootfs: RootFs) -> list[str]:
    """Return ``file:line`` of every setting that keeps the module from loading.

    Raises:
        UnreadableError: a file of modprobe's configuration cannot be read.
    """
    files: dict[str, str] = {}
    for folder in _FOLDERS:
        for name in rootfs.optional_names(folder):
            if name.endswith(".conf"):
                files.setdefault(name, f"{folder}/{name}")
    return [
        f"{path}:{number}"
        for path in (*files.values(), "/proc/cmdline")
        for number, line in enumerate((rootfs.optional_text(path) or "").splitlines(), 1)
        if _keeps_out(line)
    ]


def _keeps_out(line: str) -> bool:
    if _KEPT_OUT.fullmatch(line.partition("#")[0]):
        return True
    return any(_KEPT_OUT_AT_BOOT.fullmatch(word) for word in line.split())
