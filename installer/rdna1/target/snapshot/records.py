"""The files of the records of runs: read, and written whole or not at all.

What they mean is in `runs` and `intended`; the modules that use apt need no more than these.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ...layout import SYSTEM

# Of the runs that change a whole machine.
SYSTEM_FOLDER = SYSTEM.snapshots
BEFORE, AFTER, PAGE = "before.json", "after.json", "before.md"
INTENDED = "intended.json"
# Of records of older versions, whose names alone tell their order; they are older than all others.
UNNUMBERED = 0
REMEDY = "restore it from a backup, or move this folder away to leave it out"
_SCHEMA_VERSION = 1


class RunError(Exception):
    """No such run, or a record that cannot be read; the message names it and the remedy."""


def unfinished(folder: Path) -> Path | None:
    """Return the folder of the newest run if it is under way, or was interrupted.

    Raises:
        RunError: a record cannot be read.
    """
    runs = [(number_of(load(path)), path.parent) for path in folder.glob(f"*/{BEFORE}")]
    if not runs:
        return None
    _, newest = max(runs)
    return None if (newest / AFTER).exists() else newest


def number_of(record: dict[str, Any]) -> int:
    """Return the number of a run, which tells the order, from what it wrote before it."""
    return int(record.get("number", UNNUMBERED))


def load(path: Path) -> dict[str, Any]:
    """Read a file of a record.

    Raises:
        RunError: it cannot be read, or is of another version.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}. Remedy: {REMEDY}") from error
    if not isinstance(content, dict) or content.get("schema_version") != _SCHEMA_VERSION:
        raise RunError(f"{path} is not a record of this version. Remedy: {REMEDY}")
    return content


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a file of a record that `load` reads."""
    record = {**content, "schema_version": _SCHEMA_VERSION}
    write_text(path, json.dumps(record, indent=1, sort_keys=True) + "\n")


def write_text(path: Path, content: str) -> None:
    """Write a file whole or not at all, readable by root only: files may hold secrets."""
    handle, draft = tempfile.mkstemp(dir=str(path.parent))
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    Path(draft).replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that what was created or renamed in a folder is there after a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
