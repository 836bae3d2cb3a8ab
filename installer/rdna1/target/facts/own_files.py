"""What the settings of stacks are now: the files, links and folders that rdna1_settings writes."""

from __future__ import annotations

import hashlib
import stat
from fnmatch import fnmatchcase
from typing import Iterator

from ..rootfs import Reader
from . import accounts

# Those of the whole machine. None of another program matches.
PLACES = (
    "/etc/profile.d/rocm-rdna1-*.sh",
    "/etc/rdna1",
    "/etc/rdna1/*",
    "/etc/rdna1/*/*",
    "/usr/local/bin/rdna1-*",
)


def stack_settings(reader: Reader) -> list[dict[str, object]]:
    """What is at `PLACES`.

    Each has its ``path``. A link has the ``target`` that it names; all else has a ``mode`` (octal
    digits), an ``owner`` and a ``group`` (names), and a file its ``sha256``.

    Args:
        reader: of the machine.

    Raises:
        UnreadableError: a folder or file cannot be read, or is larger than any settings are.
    """
    return [_entry(reader, path) for place in PLACES for path in _matching(reader, place)]


def _matching(reader: Reader, place: str) -> Iterator[str]:
    """Paths that a pattern matches, which has its asterisks in its last parts."""
    folder, _, pattern = place.rpartition("/")
    folders = _matching(reader, folder) if "*" in folder else iter([folder])
    for parent in folders:
        for name in reader.optional_names(parent):
            if fnmatchcase(name, pattern):
                yield f"{parent}/{name}"


def _entry(reader: Reader, path: str) -> dict[str, object]:
    target = reader.link_target(path)
    if target is not None:
        return {"path": path, "target": target}
    status = reader.status(path)
    found: dict[str, object] = {
        "path": path,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": accounts.owner_name(reader, status.st_uid),
        "group": accounts.group_name(reader, status.st_gid),
    }
    if not stat.S_ISDIR(status.st_mode):
        found["sha256"] = hashlib.sha256(reader.data(path)).hexdigest()
    return found
