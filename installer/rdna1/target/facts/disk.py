"""Free space."""

from __future__ import annotations

import os

from ..rootfs import MissingError, RootFs, UnreadableError

_FOLDERS = ("/", "/home", "/opt", "/var")


def disk(rootfs: RootFs) -> list[dict[str, object]]:
    """Return ``path``, ``free_bytes`` for users other than root, and ``device`` of each folder.

    Folders with the same ``device`` share their space. A folder that does not exist yet
    has the space of its nearest parent.

    Raises:
        UnreadableError: under a root that is not a mounted file system, a copied tree for
            example, whose space says nothing about the machine.
    """
    if not rootfs.live and not os.path.ismount(rootfs.root):
        raise UnreadableError(f"{rootfs.root} is not a mounted file system")
    return [_space(rootfs, path) for path in _FOLDERS]


def _space(rootfs: RootFs, path: str) -> dict[str, object]:
    nearest = path
    while True:
        try:
            device = rootfs.status(nearest).st_dev
            break
        except MissingError:
            nearest = nearest.rpartition("/")[0] or "/"
    space = rootfs.space(nearest)
    return {"path": path, "free_bytes": space.f_bavail * space.f_frsize, "device": device}
