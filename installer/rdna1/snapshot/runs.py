"""The records of all runs, one folder each.

The folder ``TIME-STACK`` holds ``before.json`` and ``before.md``, and once the run is through
``after.json``. A run that changed nothing leaves no folder.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from .markdown import to_markdown
from .state import State
from .watch import Place

SCHEMA_VERSION = 1
_BEFORE, _AFTER, _PAGE = "before.json", "after.json", "before.md"


class RunError(Exception):
    """No such run, or a record that cannot be read; the message names it and the remedy."""


class Run(NamedTuple):
    """One run.

    Attributes:
        name: of its folder.
        users: who were named then.
        before: state before its first change.
        after: state after its last change; None for a run that was interrupted.
    """

    name: str
    users: list[str]
    before: State
    after: State | None


def list_runs(folder: Path) -> list[Run]:
    """All runs, the oldest first.

    Raises:
        RunError: a record cannot be read.
    """
    names = sorted(path.parent.name for path in folder.glob(f"*/{_BEFORE}"))
    return [_read(folder, name) for name in names]


def choose(runs: list[Run], name: str, folder: Path) -> list[Run]:
    """The run to go back behind, and all later ones.

    Args:
        runs: all, the oldest first.
        name: of a run; empty for the oldest.
        folder: of the records, for messages.

    Raises:
        RunError: there is none, or none of this name.
    """
    if not runs:
        raise RunError(
            f"there is no snapshot in {folder}: site.yml changed nothing here, or everything was "
            "taken back already. Nothing was changed"
        )
    names = [run.name for run in runs]
    if name and name not in names:
        listed = "".join(f"\n  {known}" for known in names)
        raise RunError(
            f"there is no snapshot {name}. Remedy: name one of these with "
            f"-e rollback_snapshot=NAME, or none for the oldest:{listed}"
        )
    return runs[names.index(name) if name else 0 :]


def begin(folder: Path, run: Run, taken: str, facts: dict[str, Any]) -> bool:
    """Write down the state before a run, unless an interrupted run goes on.

    Args:
        folder: of the records.
        run: the new run.
        taken: when, as ISO 8601.
        facts: what `rdna1.host.collect.collect` says, for people.

    Returns:
        Whether it was written: not where the newest run was interrupted, whose record from
        before its first change stays. It gets the users of the new run, too, whose memberships
        are going to be the doing of both.
    """
    earlier = list_runs(folder)
    if earlier and earlier[-1].after is None:
        _add_users(folder, earlier[-1], run.users)
        return False
    place = folder / run.name
    place.mkdir(mode=0o700, parents=True)
    record = {
        "schema_version": SCHEMA_VERSION,
        "taken": taken,
        "users": run.users,
        "facts": facts,
        **run.before._asdict(),
    }
    _write(place / _PAGE, to_markdown(run.name, record))
    # Last: a folder without it counts as nothing.
    _write(place / _BEFORE, _json(record))
    return True


def _add_users(folder: Path, run: Run, users: list[str]) -> None:
    """Add users to the record of an interrupted run that goes on."""
    if set(users) <= set(run.users):
        return
    place = folder / run.name / _BEFORE
    _write(place, _json({**_load(place), "users": sorted({*run.users, *users})}))


def finish(folder: Path, after: State) -> bool:
    """Write down the state after the newest run, or forget the run if it changed nothing.

    The first of all runs is kept: it holds the state that everything can go back to.

    Returns:
        Whether the run changed anything.
    """
    runs = list_runs(folder)
    if not runs or runs[-1].after is not None:
        return False
    if len(runs) > 1 and runs[-1].before.equals(after):
        forget(folder, runs[-1:])
        return False
    content = {"schema_version": SCHEMA_VERSION, **after.without_contents()._asdict()}
    _write(folder / runs[-1].name / _AFTER, _json(content))
    return True


def forget(folder: Path, runs: list[Run]) -> None:
    """Remove the records of runs, the newest first, so that an interruption leaves the oldest."""
    for run in reversed(runs):
        (folder / run.name / _BEFORE).unlink()
        shutil.rmtree(folder / run.name)


def _read(folder: Path, name: str) -> Run:
    before = _load(folder / name / _BEFORE)
    after = folder / name / _AFTER
    try:
        return Run(
            name,
            before["users"],
            _state(before),
            _state(_load(after)) if after.exists() else None,
        )
    except KeyError as error:
        raise RunError(f"{folder / name}: {error} is missing. Remedy: {_REMEDY}") from error


_REMEDY = "restore it from a backup, or move this folder away to leave it out"


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}. Remedy: {_REMEDY}") from error
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise RunError(f"{path} is no record of this version. Remedy: {_REMEDY}")
    return content


def _state(content: dict[str, Any]) -> State:
    state = State(*(content[name] for name in State._fields))
    return state._replace(places=[Place(*place) for place in content["places"]])


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _write(path: Path, content: str) -> None:
    """Write a file whole or not at all, readable by root only: files may hold secrets."""
    handle, draft = tempfile.mkstemp(dir=str(path.parent))
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    Path(draft).replace(path)
