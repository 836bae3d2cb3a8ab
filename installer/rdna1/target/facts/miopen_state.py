"""Whether MIOpen can use what it keeps in the users' homes: damaged files, network file systems."""

from __future__ import annotations

import stat
import struct
from typing import Iterator

from ..rootfs import MissingError, RootFs
from . import accounts
from .miopen import FOLDERS
from .unknown import Unknown

_SQLITE = (".ukdb", ".kdb", ".udb", ".db")
_TEXT = (".ufdb.txt", ".udb.txt", ".fdb.txt")
_MAGIC = b"SQLite format 3\0"
_HEADER = 100
# Kinds of a page of an SQLite database (its file format, 1.6).
_PAGE_KINDS = frozenset([2, 5, 10, 13])
_LIMIT = 256 * 1024 * 1024
_DEEPEST = 4
_MOST_FILES = 500
_MOUNTS = ("/proc/self/mounts", "/proc/mounts", "/etc/mtab", "/etc/fstab")
_NETWORK = frozenset(
    [
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "fuse.ceph"),
        *("glusterfs", "fuse.glusterfs", "lustre", "beegfs", "gpfs", "fuse.rclone", "virtiofs"),
    ]
)


def damaged(rootfs: RootFs, names: tuple[str, ...], unknown: Unknown) -> list[dict[str, str]]:
    """Return ``path`` and ``reason`` of each file of MIOpen that is damaged.

    Args:
        rootfs: of the machine.
        names: users who were asked about.
        unknown: gets the reason for each folder that cannot be read.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    found = []
    for home in accounts.open_homes(rootfs, names, unknown, "miopen_damaged"):
        for folder in (f"{home}/{name}" for name in FOLDERS):
            listed = unknown.collect(f"miopen_damaged.{folder}", _listed, rootfs, folder) or []
            for path in listed:
                reason = unknown.collect(f"miopen_damaged.{path}", _reason, rootfs, path)
                if reason:
                    found.append({"path": path, "reason": reason})
    return found


def on_network(rootfs: RootFs, names: tuple[str, ...]) -> list[dict[str, str]]:
    """Return ``path`` and ``kind`` of each home, or folder of MIOpen's, on a network file system.

    Raises:
        UnreadableError: /etc/passwd or the list of mounts cannot be read.
    """
    mounts = _mounts(rootfs)
    found = []
    for home in accounts.homes(rootfs, names):
        folders = {folder: _kind(mounts, folder) for folder in (home, *_within(home))}
        on_network = [folder for folder, kind in folders.items() if kind in _NETWORK]
        # All that lies in the home goes with it, unless something local is mounted there.
        if on_network and any(folders[folder] in _NETWORK for folder in _within(home)):
            found.append({"path": on_network[0], "kind": folders[on_network[0]]})
    return found


def _within(home: str) -> list[str]:
    return [f"{home}/{name}" for name in FOLDERS]


def _kind(mounts: dict[str, str], folder: str) -> str:
    """Return the kind of the file system that a folder lies on, empty where no mount tells."""
    within = [point for point in mounts if folder == point or folder.startswith(f"{point}/")]
    return mounts[max(within, key=len)] if within else ""


def _listed(rootfs: RootFs, folder: str) -> list[str]:
    return [path for path, _ in zip(_files(rootfs, folder, _DEEPEST), range(_MOST_FILES))]


def _files(rootfs: RootFs, folder: str, depth: int) -> Iterator[str]:
    for name in rootfs.optional_names(folder):
        path = f"{folder}/{name}"
        if name.endswith(_SQLITE + _TEXT):
            yield path
        elif depth > 1 and stat.S_ISDIR(rootfs.status(path).st_mode):
            yield from _files(rootfs, path, depth - 1)


def _reason(rootfs: RootFs, path: str) -> str:
    """Return what is wrong with a file, nothing where it is whole."""
    try:
        data = rootfs.data(path, _LIMIT)
    except MissingError:
        return ""
    return _of_text(data) if path.endswith(_TEXT) else _of_sqlite(data)


def _of_sqlite(data: bytes) -> str:
    if not data:
        return ""
    if len(data) < _HEADER or not data.startswith(_MAGIC):
        return "is not an SQLite database"
    size = struct.unpack(">H", data[16:18])[0]
    size = 65536 if size == 1 else size
    if size < 512 or size & (size - 1):
        return "names an impossible size of its pages"
    if len(data) % size:
        return "ends in the middle of a page"
    changed, pages, valid = (struct.unpack(">I", data[at : at + 4])[0] for at in (24, 28, 92))
    if changed == valid and pages != len(data) // size:
        return f"has {len(data) // size} pages, and its header says {pages}"
    return "" if data[_HEADER] in _PAGE_KINDS else "has a first page of no kind"


def _of_text(data: bytes) -> str:
    lines = data.decode("utf-8", "replace").splitlines()
    wrong = next((n for n, line in enumerate(lines, 1) if line.strip() and "=" not in line), None)
    return f"line {wrong} is not KEY=VALUE" if wrong else ""


def _mounts(rootfs: RootFs) -> dict[str, str]:
    """Mount points to the kinds of their file systems."""
    for path in _MOUNTS if rootfs.live else _MOUNTS[1:]:
        text = rootfs.optional_text(path)
        if text is not None:
            rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
            return {row[1].rstrip("/"): row[2] for row in rows if len(row) > 2}
    return {}
