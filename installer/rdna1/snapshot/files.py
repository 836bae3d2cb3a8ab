"""Files, links and folders as plain data."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Any, Dict, Iterable, Optional

from .watch import Place, is_secret

Entry = Dict[str, Any]
Entries = Dict[str, Entry]

# Larger ones are programs that the roles bring; no text file of a system comes near it.
_LARGEST = 1024 * 1024
# What does not tell whether two entries are the same thing.
_BESIDE = ("content", "modified_ns")


def read_entries(places: Iterable[Place], *, contents: bool) -> Entries:
    """Path to entry of everything that exists at some places.

    Args:
        places: to look at.
        contents: whether entries of files hold their content, too.
    """
    entries: Entries = {}
    for place in places:
        _add(entries, place.path, place.depth, contents)
    return entries


def read_entry(path: str, *, contents: bool = False, whole: bool = True) -> Entry | None:
    """What is at a path, or None when there is nothing.

    Args:
        path: of a file, link or folder; others count as nothing.
        contents: whether the entry of a file holds its content, too.
        whole: whether a folder stands for all that is in it.

    Returns:
        ``kind`` (``file``, ``link`` or ``folder``), ``uid``, ``gid``, and by kind ``mode``,
        ``sha256``, ``modified_ns``, ``content`` (Base64), ``target``, ``whole``. A file above
        1 MiB has ``size`` and ``changed_ns`` instead of ``sha256``, and no content.

    Raises:
        OSError: it exists and cannot be read.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    entry: Entry = {"uid": status.st_uid, "gid": status.st_gid}
    if stat.S_ISLNK(status.st_mode):
        return {"kind": "link", "target": os.readlink(path), **entry}
    entry["mode"] = f"{stat.S_IMODE(status.st_mode):04o}"
    if stat.S_ISDIR(status.st_mode):
        return {"kind": "folder", "whole": whole, **entry}
    if stat.S_ISREG(status.st_mode):
        return {"kind": "file", **entry, **_content(path, status, contents)}
    return None


def same(one: Optional[Entry], other: Optional[Entry]) -> bool:  # noqa: UP045 - Python 3.8
    """Whether two entries are the same thing; times and copies of content do not count."""
    if one is None or other is None:
        return one is other
    return _identity(one) == _identity(other)


def without_contents(entries: Entries) -> Entries:
    """Entries that can be compared but not restored."""
    return {
        path: {name: value for name, value in entry.items() if name != "content"}
        for path, entry in entries.items()
    }


def _add(entries: Entries, path: str, depth: int, contents: bool) -> None:
    if is_secret(path):
        return
    entry = read_entry(path, contents=contents, whole=depth == 0)
    if entry is None:
        return
    entries[path] = entry
    if entry["kind"] == "folder" and depth > 0:
        for name in sorted(os.listdir(path)):  # noqa: PTH208 - names, not paths
            _add(entries, f"{path}/{name}", depth - 1, contents)


def _content(path: str, status: os.stat_result, contents: bool) -> Entry:
    if status.st_size > _LARGEST:
        return {"size": status.st_size, "changed_ns": status.st_mtime_ns}
    data = Path(path).read_bytes()
    content = {"content": base64.b64encode(data).decode()} if contents else {}
    digest = hashlib.sha256(data).hexdigest()
    return {"sha256": digest, "modified_ns": status.st_mtime_ns, **content}


def _identity(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name not in _BESIDE}
