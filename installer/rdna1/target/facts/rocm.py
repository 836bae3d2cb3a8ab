"""Installed ROCm, wherever it came from, and where the dynamic linker looks for libraries."""

from __future__ import annotations

import re

from ..rootfs import RootFs
from . import dpkg
from .unknown import Unknown

# AMD ends the upstream version with its release as digits: 1.0.0.50701-98~22.04.
_AMD_VERSION = re.compile(r"\.\d{5,6}-\d")
# The driver's packages serve any ROCm, and PyTorch is not a part of it.
_NOT_ROCM = re.compile(
    r"amdgpu.*|rock-dkms.*|rocm-dkms.*|libdrm-amdgpu.*|libtorch.*|python3-torch.*"
)
_FILE = "/etc/ld.so.conf"
# Debian's and Ubuntu's /etc/ld.so.conf includes *.conf in it, and nothing else.
_FOLDER = "/etc/ld.so.conf.d"


def rocm(rootfs: RootFs, status: dpkg.Status, unknown: Unknown) -> list[dict[str, object]]:
    """Return ``source`` (``amd``, ``distro`` or ``folder``), ``name`` and ``version`` of each part.

    A ``folder`` is one under /opt that no package of AMD owns.

    Args:
        rootfs: of the machine.
        status: its packages.
        unknown: gets the reason for each folder that cannot be read.

    Raises:
        UnreadableError: the packages cannot be read.
    """
    packages: list[dict[str, object]] = [
        {"source": _source(package), "name": package.name, "version": package.version}
        for package in status.packages()
        if package.present
        and (package.by_amd or dpkg.is_relevant(package.name))
        and not _NOT_ROCM.fullmatch(package.name)
    ]
    return packages + (unknown.collect("rocm.folders", _folders, rootfs, packages) or [])


def _source(package: dpkg.Package) -> str:
    by_name = package.name.startswith(("rocm-core", "amdrocm"))
    by_amd = package.by_amd or by_name or _AMD_VERSION.search(package.version)
    return "amd" if by_amd else "distro"


def _folders(rootfs: RootFs, packages: list[dict[str, object]]) -> list[dict[str, object]]:
    owned = _owned_files(rootfs, packages)
    found: list[dict[str, object]] = []
    for name in rootfs.optional_names("/opt"):
        path = f"/opt/{name}"
        # Links such as /opt/rocm lead to a folder that is listed itself.
        if not name.startswith("rocm") or rootfs.link_name(path) is not None:
            continue
        version = rootfs.optional_text(f"{path}/.info/version")
        if version is not None and f"{path}/.info/version" not in owned:
            found.append({"source": "folder", "name": path, "version": version.strip()[:40]})
    return found


def _owned_files(rootfs: RootFs, packages: list[dict[str, object]]) -> set[str]:
    """Return files of the packages that own AMD's version files."""
    names = [p["name"] for p in packages if str(p["name"]).startswith("rocm-core")]
    lists = (rootfs.optional_text(f"/var/lib/dpkg/info/{name}.list") or "" for name in names)
    return {path for files in lists for path in files.splitlines()}


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
