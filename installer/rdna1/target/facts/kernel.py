"""Installed kernels, their modules, firmware and configuration."""

from __future__ import annotations

import re
import zlib

from ..rootfs import MissingError, RootFs, UnreadableError

_KERNELS = "/lib/modules"
_OWN_FOLDER = "kernel/drivers/gpu/drm/amd/amdgpu"
# Where DKMS puts modules next to the kernel's own.
_DKMS_FOLDERS = ("updates/dkms", "updates", "extra")
_BUILDS = "/var/lib/dkms/amdgpu"
# Next to the kernels, a version's folder in DKMS' tree holds these.
_NO_KERNELS = frozenset(["source", "build"])
# In the order of the kernel's fw_path (Documentation/driver-api/firmware/fw_search_path.rst),
# without the folders of single kernels.
_FOLDERS = ("/lib/firmware/updates/amdgpu", "/lib/firmware/amdgpu")
_NAME = re.compile(r"(navi1[024]_\w+\.bin)(?:\.(?:zst|xz))?")
_EFI = "/sys/firmware/efi"
_VARIABLE_BYTES = 5  # four of attributes, one of value
_OPTIONS = ("CONFIG_DRM_AMDGPU", "CONFIG_HSA_AMD")
_LINE = re.compile(
    r"^(?:(?P<set>CONFIG_\w+)=(?P<value>[ym])|# (?P<unset>CONFIG_\w+) is not set)$", re.M
)
_COMPRESSED = "/proc/config.gz"
_LIMIT = 4 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def kernels(rootfs: RootFs) -> list[str]:
    """Return releases of the kernels whose modules are installed.

    A folder that only holds what other programs left behind is not an installed kernel.

    Raises:
        UnreadableError: there is no folder of modules, in a container for example.
    """
    names = rootfs.names(_KERNELS)
    return [name for name in names if rootfs.exists(f"{_KERNELS}/{name}/kernel")]


def with_amdgpu(rootfs: RootFs) -> list[str]:
    """Return releases of the installed kernels that have the module amdgpu, or have it built in.

    Cloud and minimal kernels leave it out, or have it in a package of its own.

    Raises:
        UnreadableError: there is no folder of modules, in a container for example.
    """
    own = own_amdgpu(rootfs)
    return [
        name
        for name in kernels(rootfs)
        if name in own
        or any(_holds_amdgpu(rootfs, f"{_KERNELS}/{name}/{place}") for place in _DKMS_FOLDERS)
    ]


def own_amdgpu(rootfs: RootFs) -> list[str]:
    """Give releases of the installed kernels that have an amdgpu of their own, not AMD's from DKMS.

    Raises:
        UnreadableError: there is no folder of modules, in a container for example.
    """
    return [name for name in kernels(rootfs) if _has_own(rootfs, name)]


def _has_own(rootfs: RootFs, kernel: str) -> bool:
    folder = f"{_KERNELS}/{kernel}"
    # Older releases of DKMS keep the one that they replaced, and put it back.
    if _holds_amdgpu(rootfs, f"{folder}/{_OWN_FOLDER}") or _holds_amdgpu(
        rootfs, f"{_BUILDS}/original_module/{kernel}/x86_64"
    ):
        return True
    return "/amdgpu.ko" in (rootfs.optional_text(f"{folder}/modules.builtin") or "")


def _holds_amdgpu(rootfs: RootFs, folder: str) -> bool:
    return any(name.startswith("amdgpu.ko") for name in rootfs.optional_names(folder))


def dkms_builds(rootfs: RootFs) -> list[dict[str, object]]:
    """Return ``version`` of each amdgpu that DKMS knows, and the ``kernels`` it is built for.

    ``source`` tells whether the source is still there: without it DKMS can only fail.

    Raises:
        UnreadableError: a folder of DKMS exists and cannot be read.
    """
    return [
        {
            "version": version,
            "kernels": _built_for(rootfs, f"{_BUILDS}/{version}"),
            "source": rootfs.exists(f"{_BUILDS}/{version}/source/dkms.conf"),
        }
        for version in rootfs.optional_names(_BUILDS)
        # Links such as kernel-6.8.0-45-generic-x86_64 lead to the builds that are listed.
        if version != "original_module" and rootfs.link_name(f"{_BUILDS}/{version}") is None
    ]


def _built_for(rootfs: RootFs, folder: str) -> list[str]:
    return [
        kernel
        for kernel in rootfs.optional_names(folder)
        if kernel not in _NO_KERNELS
        and any(
            rootfs.optional_names(f"{folder}/{kernel}/{architecture}/module")
            for architecture in rootfs.optional_names(f"{folder}/{kernel}")
        )
    ]


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


def kernel_config(rootfs: RootFs, release: str | None) -> dict[str, str]:
    """Return ``y``, ``m`` or ``n`` of each option of the driver, none for one that is not there.

    Args:
        rootfs: of the machine.
        release: of the running kernel.

    Raises:
        UnreadableError: no file tells.
    """
    if release is None or "/" in release:
        raise UnreadableError("the release of the running kernel is not known")
    for path in (
        f"/boot/config-{release}",
        f"/lib/modules/{release}/config",
        f"/usr/src/linux-headers-{release}/.config",
    ):
        if rootfs.exists(path):
            return _options(rootfs.text(path, _LIMIT))
    return _options(_decompressed(rootfs))


def _decompressed(rootfs: RootFs) -> str:
    data = rootfs.data(_COMPRESSED)
    try:
        return zlib.decompressobj(_GZIP).decompress(data, _LIMIT).decode("utf-8", "replace")
    except zlib.error as error:
        raise UnreadableError(f"{_COMPRESSED}: {error}") from error


def _options(text: str) -> dict[str, str]:
    lines = _LINE.finditer(text)
    values = {line["set"] or line["unset"]: line["value"] or "n" for line in lines}
    return {name: values[name] for name in _OPTIONS if name in values}
