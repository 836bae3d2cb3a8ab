"""Python interpreters of the system, and the markers that close them to pip (PEP 668)."""

from __future__ import annotations

import re

from ..rootfs import RootFs

_FOLDER = "/usr/bin"
_NAME = re.compile(r"python(3\.\d+)")
_PEP668_FOLDER = "/usr/lib"


def pythons(rootfs: RootFs) -> list[dict[str, object]]:
    """Return ``path`` and ``version`` of /usr/bin/python3 and python3.N; no interpreter is started.

    Raises:
        UnreadableError: the folder cannot be read.
    """
    found: list[dict[str, object]] = []
    for name in rootfs.names(_FOLDER):
        path = f"{_FOLDER}/{name}"
        target = rootfs.link_name(path) if name == "python3" else None
        version = _NAME.fullmatch(target or name)
        if version and rootfs.exists(path):
            found.append({"path": path, "version": version[1]})
    return found


def externally_managed(rootfs: RootFs) -> list[str]:
    """Return paths of the markers.

    Raises:
        UnreadableError: a folder must not be entered.
    """
    names = [name for name in rootfs.optional_names(_PEP668_FOLDER) if name.startswith("python3")]
    paths = [f"{_PEP668_FOLDER}/{name}/EXTERNALLY-MANAGED" for name in names]
    return [path for path in paths if rootfs.exists(path)]
