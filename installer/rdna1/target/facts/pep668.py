"""Markers with which a distribution closes its Python to pip (PEP 668)."""

from __future__ import annotations

from ..rootfs import RootFs

_FOLDER = "/usr/lib"


def externally_managed(rootfs: RootFs) -> list[str]:
    """Return paths of the markers.

    Raises:
        UnreadableError: a folder must not be entered.
    """
    names = [name for name in rootfs.optional_names(_FOLDER) if name.startswith("python3")]
    paths = [f"{_FOLDER}/{name}/EXTERNALLY-MANAGED" for name in names]
    return [path for path in paths if rootfs.exists(path)]
