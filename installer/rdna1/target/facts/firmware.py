"""Firmware files of the RDNA1 chips, and the state of Secure Boot."""

from __future__ import annotations

import re

from ..rootfs import MissingError, RootFs, UnreadableError

# In the order of the kernel's fw_path (Documentation/driver-api/firmware/fw_search_path.rst),
# without the folders of single kernels.
_FOLDERS = ("/lib/firmware/updates/amdgpu", "/lib/firmware/amdgpu")
_NAME = re.compile(r"(navi1[024]_\w+\.bin)(?:\.(?:zst|xz))?")

_EFI = "/sys/firmware/efi"
_VARIABLE_BYTES = 5  # four of attributes, one of value


def firmware_files(rootfs: RootFs) -> list[str]:
    """Return names of the files for Navi 10, 12 and 14, without the ending of a compression.

    Raises:
        UnreadableError: there is no folder of firmware, in a container for example.
    """
    rootfs.names("/lib/firmware")
    names = {name for folder in _FOLDERS for name in rootfs.optional_names(folder)}
    return sorted({match[1] for match in map(_NAME.fullmatch, names) if match})


def secure_boot(rootfs: RootFs) -> bool:
    """Return whether the machine booted with Secure Boot; a machine without UEFI did not.

    Raises:
        UnreadableError: the variable cannot be read, as in most containers.
    """
    try:
        rootfs.names("/sys/firmware")
    except MissingError as error:
        raise UnreadableError(f"{error}; /sys belongs to a running machine") from error
    if not rootfs.exists(_EFI):
        return False
    folder = f"{_EFI}/efivars"
    name = next((n for n in rootfs.optional_names(folder) if n.startswith("SecureBoot-")), None)
    if name is None:
        raise UnreadableError(f"{folder}: no variable SecureBoot")
    data = rootfs.data(f"{folder}/{name}")
    if len(data) != _VARIABLE_BYTES:
        raise UnreadableError(f"{folder}/{name}: not {_VARIABLE_BYTES} bytes")
    return data[-1] == 1
