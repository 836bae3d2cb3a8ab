"""Changes between two records of files, and their rollback."""

from __future__ import annotations

from rdna1.target.snapshot.file_changes import FileChange
from rdna1.target.snapshot.files import Entries, same
from rdna1.target.snapshot.restore import Restored, restore_files


def changes(before: Entries, after: Entries, *, ours: bool = True) -> list[FileChange]:
    """Return what differs between two records."""
    paths = sorted(before.keys() | after.keys())
    return [
        FileChange(path, before.get(path), after.get(path), ours)
        for path in paths
        if not same(before.get(path), after.get(path))
    ]


def restore(found: list[FileChange]) -> Restored:
    """Roll changes back."""
    return restore_files(found, dry_run=False)
