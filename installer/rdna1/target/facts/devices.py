"""Device files of the graphics driver: /dev/kfd and the render nodes."""

from __future__ import annotations

import stat

from ..rootfs import MissingError, RootFs, UnreadableError
from . import accounts
from .unknown import Unknown


def kfd_device(rootfs: RootFs, unknown: Unknown) -> dict[str, object] | None:
    """Return /dev/kfd with owner, group and mode, or None when the driver did not make it.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for owner, group and mode that say nothing.

    Raises:
        UnreadableError: device files cannot be read.
    """
    _need_device_files(rootfs)
    return device_file(rootfs, "/dev/kfd", "kfd.device", unknown)


def render_nodes(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return all /dev/dri/renderD*, as `kfd_device` describes /dev/kfd.

    Raises:
        UnreadableError: device files cannot be read.
    """
    _need_device_files(rootfs)
    names = [name for name in rootfs.optional_names("/dev/dri") if name.startswith("renderD")]
    nodes = [
        device_file(rootfs, f"/dev/dri/{name}", f"render_nodes.{name}", unknown) for name in names
    ]
    return [node for node in nodes if node is not None]


def device_file(rootfs: RootFs, path: str, fact: str, unknown: Unknown) -> dict[str, object] | None:
    """Return ``path``, ``owner``, ``group`` and ``mode`` of a device file, or None without one.

    ``members`` are the users in that group but root, empty for a group without a name.

    In a tree a plain file stands for a device, for few copies can hold devices; its owner
    and mode say nothing. On the running machine a plain file is not a device.

    Args:
        rootfs: of the machine.
        path: of the device file.
        fact: name of the fact in ``unknown``.
        unknown: gets the reason for owner, group and mode that say nothing.

    Raises:
        UnreadableError: a folder on the way must not be entered.
    """
    try:
        status = rootfs.status(path)
    except MissingError:
        return None
    if stat.S_ISCHR(status.st_mode):
        return {
            "path": path,
            "owner": accounts.owner_name(rootfs, status.st_uid),
            "group": accounts.group_name(rootfs, status.st_gid),
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            "members": accounts.members(rootfs, status.st_gid),
        }
    if rootfs.live:
        return None
    for field in ("owner", "group", "mode"):
        unknown[f"{fact}.{field}"] = f"{path}: a plain file stands for the device in this tree"
    return {"path": path, "owner": None, "group": None, "mode": None, "members": None}


def _need_device_files(rootfs: RootFs) -> None:
    if not rootfs.live and not rootfs.optional_names("/dev"):
        raise UnreadableError("/dev is empty: device files belong to a running machine")
