"""What the settings of stacks are now: the files, links and folders that rdna1_settings writes."""

from __future__ import annotations

import hashlib
import stat
from fnmatch import fnmatchcase
from typing import Iterator

from ...layout import COMMAND_START, PROFILES, SYSTEM
from ..rootfs import RootFs
from . import accounts

# Those of the whole machine. None of another program matches.
PLACES = (
    PROFILES,
    SYSTEM.settings,
    f"{SYSTEM.settings}/*",
    f"{SYSTEM.settings}/*/*",
    f"{SYSTEM.commands}/{COMMAND_START}*",
)


def stack_settings(rootfs: RootFs) -> list[dict[str, object]]:
    """Return what is at `PLACES`.

    Each has its ``path``. A link has the ``target`` that it names; all else has a ``mode`` (octal
    digits), an ``owner`` and a ``group`` (names), and a file its ``sha256``.

    Args:
        rootfs: of the machine.

    Raises:
        UnreadableError: a folder or file cannot be read, or is larger than any settings are.
    """
    return [_entry(rootfs, path) for place in PLACES for path in _matching(rootfs, place)]


def _matching(rootfs: RootFs, place: str) -> Iterator[str]:
    """Yield paths that a pattern matches, which has its asterisks in its last parts."""
    folder, _, pattern = place.rpartition("/")
    folders = _matching(rootfs, folder) if "*" in folder else iter([folder])
    for parent in folders:
        for name in rootfs.optional_names(parent):
            if fnmatchcase(name, pattern):
                yield f"{parent}/{name}"


def _entry(rootfs: RootFs, path: str) -> dict[str, object]:
    target = rootfs.link_target(path)
    if target is not None:
        return {"path": path, "target": target}
    status = rootfs.status(path)
    found: dict[str, object] = {
        "path": path,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": accounts.owner_name(rootfs, status.st_uid),
        "group": accounts.group_name(rootfs, status.st_gid),
    }
    if not stat.S_ISDIR(status.st_mode):
        found["sha256"] = hashlib.sha256(rootfs.data(path)).hexdigest()
    return found
