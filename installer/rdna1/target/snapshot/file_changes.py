"""The paths that runs changed, as a rollback looks at them."""

from __future__ import annotations

import fnmatch
from typing import Any, NamedTuple

from ...layout import (
    COMMAND_START,
    HOME,
    HOME_SESSION_FOLDER,
    HOME_SESSION_START,
    PROFILE_START,
    SYSTEM,
)
from .files import Entry, same
from .runs import Run
from .state import State
from .watch import BACKUP, COMMON_FOLDER, covers

_IN_A_HOME = HOME.below("/*")
# Written by programs of this project between two runs.
_ALWAYS_OWN = (SYSTEM.envelope, _IN_A_HOME.envelope)
# What an interrupted run may have made: it could not say what it did.
_OWN = (
    "/etc/apt/*rdna1*",
    "/etc/apt/*rocm*",
    "/etc/apt/*amdgpu*",
    "/etc/mod*rdna1*",
    f"{PROFILE_START}*",
    SYSTEM.settings,
    f"{SYSTEM.settings}/*",
    SYSTEM.environments,
    f"{SYSTEM.environments}/*",
    f"{SYSTEM.commands}/{COMMAND_START}*",
    "/*/.config",
    f"/*/{HOME_SESSION_FOLDER}",
    f"/*/{HOME_SESSION_START}*",
    _IN_A_HOME.settings,
    f"{_IN_A_HOME.settings}/*",
    "/*/.local",
    _IN_A_HOME.commands,
    f"{_IN_A_HOME.commands}/{COMMAND_START}*",
    "/*/.local/share",
    _IN_A_HOME.environments,
    f"{_IN_A_HOME.environments}/*",
    "/*/.local/state",
    f"*{BACKUP}*",
)


class FileChange(NamedTuple):
    """A path that the runs changed.

    Attributes:
        path: of the file, link or folder.
        before: what was there before the first run that changed it.
        after: what the last such run left.
        ours: False where only the run's interruption makes it look like the run's doing.
    """

    path: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ours: bool


def changed_files(runs: list[Run], now: State) -> list[FileChange]:
    """Return the paths that the runs changed and that still differ from before."""
    changes: dict[str, FileChange] = {}
    for run in runs:
        after = run.after or now
        for path in run.before.files.keys() | after.files.keys():
            before, left = run.before.files.get(path), after.files.get(path)
            # What nobody looked for before may have been there all the time.
            is_known = before is not None or covers(path, run.before.places)
            if is_known and not same(before, left):
                first = changes[path].before if path in changes else before
                ours = run.after is not None or before is not None or _matches(path, _OWN)
                changes[path] = FileChange(path, first, left, ours)
    for path, entry in now.files.items():
        if _matches(path, _ALWAYS_OWN) and path not in changes:
            before = runs[0].before.files.get(path)
            changes[path] = FileChange(path, before, entry, True)
    common = runs[0].before.files.get(COMMON_FOLDER)
    if common is not None:
        changes[COMMON_FOLDER] = FileChange(COMMON_FOLDER, common, None, True)
    return sorted(
        change for change in changes.values() if not same(change.before, now.files.get(change.path))
    )


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def is_moved_folder(change: FileChange) -> bool:
    """Return whether the path is where a run moved a folder to, out of the way."""
    entry: Entry | None = change.after
    return (
        BACKUP in change.path.rpartition("/")[2]
        and change.before is None
        and entry is not None
        and entry["kind"] == "folder"
    )
