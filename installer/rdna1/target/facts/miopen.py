"""What MIOpen keeps in the users' homes, and the profile scripts that filter its algorithms."""

from __future__ import annotations

import stat
from typing import Iterator

from ..rootfs import MissingError, RootFs
from . import accounts
from .unknown import Unknown

# Where MIOpen 2.20 keeps databases and kernels (its CMakeLists.txt and docs/cache.md).
FOLDERS = (".config/miopen", ".cache/miopen")
_PROFILES = "/etc/profile.d"
_PROFILE_START, _PROFILE_END = "rocm-rdna1-", ".sh"
_DEEPEST = 4
_MOST_FILES = 2000


def databases(rootfs: RootFs, names: tuple[str, ...], unknown: Unknown) -> list[dict[str, object]]:
    """Return ``path``, number of ``files``, ``oldest`` and ``newest`` change of each used folder.

    Changes are in seconds since 1970. The folders are those of the users asked about, see
    `accounts.homes`.

    Args:
        rootfs: of the machine.
        names: users who were asked about.
        unknown: gets the reason for each folder that cannot be read.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    homes = accounts.open_homes(rootfs, names, unknown, "miopen_databases")
    found = [
        unknown.collect(f"miopen_databases.{path}", _database, rootfs, path, unknown)
        for path in (f"{home}/{name}" for home in homes for name in FOLDERS)
    ]
    return [database for database in found if database is not None]


def profiles(rootfs: RootFs) -> list[dict[str, object]]:
    """Return ``path`` and last change (``modified``, seconds since 1970) of this project's scripts.

    Raises:
        UnreadableError: the folder or one of the scripts cannot be read.
    """
    return [
        {
            "path": f"{_PROFILES}/{name}",
            "modified": int(rootfs.status(f"{_PROFILES}/{name}").st_mtime),
        }
        for name in rootfs.optional_names(_PROFILES)
        if name.startswith(_PROFILE_START) and name.endswith(_PROFILE_END)
    ]


def _database(rootfs: RootFs, path: str, unknown: Unknown) -> dict[str, object] | None:
    changes: list[int] = []
    for change in _changes(rootfs, path, _DEEPEST):
        if len(changes) == _MOST_FILES:
            unknown[f"miopen_databases.{path}"] = f"{path}: only {_MOST_FILES} files were looked at"
            break
        changes.append(change)
    if not changes:
        return None
    return {"path": path, "files": len(changes), "oldest": min(changes), "newest": max(changes)}


def _changes(rootfs: RootFs, folder: str, depth: int) -> Iterator[int]:
    for name in rootfs.optional_names(folder):
        path = f"{folder}/{name}"
        try:
            status = rootfs.status(path)
        except MissingError:
            continue  # removed meanwhile, or a link to nowhere
        if not stat.S_ISDIR(status.st_mode):
            yield int(status.st_mtime)
        elif depth > 1:
            yield from _changes(rootfs, path, depth - 1)
