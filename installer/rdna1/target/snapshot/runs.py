"""The records of all runs, one folder each.

The folder ``TIME-STACK`` holds ``before.json`` and ``before.md``, ``intended.json`` once apt was
about to work, and once the run is through ``after.json``. A run that changed nothing leaves no
folder. The time is for users: clocks are wrong and are set, so a number in the record tells the
order of runs.

A run that is killed leaves a record without ``after.json``, which the next run goes on with, or a
folder without ``before.json``, which counts as nothing and is removed.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ...layout import SYSTEM
from ..folders import FOR_ALL, FOR_ITS_OWNER, make_folders
from .intended import NOTHING, Intended, from_json, to_json
from .markdown import to_markdown
from .state import State
from .watch import Place

SCHEMA_VERSION = 1
# Of the runs that change a whole machine.
SYSTEM_FOLDER = SYSTEM.snapshots
_OWN = "rdna1"
_BEFORE, _AFTER, _PAGE = "before.json", "after.json", "before.md"
_INTENDED = "intended.json"
# Of records of older versions, whose names alone tell their order; they are older than all others.
_UNNUMBERED = 0


class RunError(Exception):
    """No such run, or a record that cannot be read; the message names it and the remedy."""


class Run(NamedTuple):
    """One run.

    Attributes:
        name: of its folder.
        users: who were named then.
        before: state before its first change.
        after: state after its last change; None for a run that was interrupted.
        intended: what it was about to do with apt; None where an older version did not say.
        number: of the run, which tells the order.
    """

    name: str
    users: list[str]
    before: State
    after: State | None
    intended: Optional[Intended] = None  # noqa: UP045 - Python 3.8
    number: int = _UNNUMBERED


def list_runs(folder: Path) -> list[Run]:
    """Return all runs, the oldest first.

    Raises:
        RunError: a record cannot be read.
    """
    names = (path.parent.name for path in folder.glob(f"*/{_BEFORE}"))
    runs = [_read(folder, name) for name in names]
    return sorted(runs, key=lambda run: (run.number, run.name))


def check_home(home: str) -> None:
    """Refuse a home of somebody else: whose it is decides what its records say.

    Root would carry them out where ``sudo`` keeps ``HOME``.

    Args:
        home: whose records are used; empty for those of the machine.

    Raises:
        RunError: another user owns it.
        OSError: it cannot be looked at.
    """
    if home and os.stat(home).st_uid != os.geteuid():  # noqa: PTH116 - no object is needed
        raise RunError(
            f"{home} is not the home of the user that the play runs as, and its records are "
            "another user's word. Nothing was changed. Remedy: run as the user whose home it is, "
            "without sudo"
        )


def choose(runs: list[Run], name: str, folder: Path) -> list[Run]:
    """Return the run to go back behind, and all later ones.

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
        facts: what `rdna1.target.facts.collect.collect` says, for users.

    Returns:
        Whether it was written: not where the newest run was interrupted, whose record from
        before its first change stays. It gets the users of the new run, too, whose memberships
        are going to be the doing of both.
    """
    earlier = list_runs(folder)
    _own_folder(folder)
    if earlier and earlier[-1].after is None:
        _add_users(folder, earlier[-1], run.users)
        return False
    _remove_unfinished(folder)
    place = _unused(folder, run.name)
    make_folders(place, FOR_ITS_OWNER)
    record = {
        "schema_version": SCHEMA_VERSION,
        "number": max((other.number for other in earlier), default=_UNNUMBERED) + 1,
        "taken": taken,
        "users": run.users,
        "facts": facts,
        **run.before._asdict(),
    }
    _write(place / _PAGE, to_markdown(place.name, record))
    # Last: a folder without it counts as nothing.
    _write(place / _BEFORE, _json(record))
    _sync_folder(folder)
    return True


def intend(folder: Path, intended: Intended) -> bool:
    """Write down what apt is about to do, if a run is under way.

    Returns:
        Whether it was written.
    """
    runs = list_runs(folder)
    if intended == NOTHING or not runs or runs[-1].after is not None:
        return False
    together = (runs[-1].intended or NOTHING).with_more(intended)
    content = {"schema_version": SCHEMA_VERSION, **to_json(together)}
    _write(folder / runs[-1].name / _INTENDED, _json(content))
    return True


def _own_folder(folder: Path) -> None:
    """Make the folder of the records, which of root's own no other user may write.

    One that is there may be of a release that left its mode to the umask.
    """
    if os.geteuid() != 0:
        make_folders(folder, FOR_ITS_OWNER)
        return
    make_folders(folder)
    for own in (folder.parent, folder) if folder.parent.name == _OWN else (folder,):
        if stat.S_IMODE(own.stat().st_mode) != FOR_ALL:
            own.chmod(FOR_ALL)


def _unused(folder: Path, name: str) -> Path:
    """Return a folder for a record: the clock may have told the same second before."""
    names = itertools.chain([name], (f"{name}.{n}" for n in itertools.count(2)))
    return next(folder / one for one in names if not os.path.lexists(folder / one))


def _remove_unfinished(folder: Path) -> None:
    """Remove what a run left that was killed while it wrote its record, or removed one."""
    for place in folder.glob("*"):
        if place.is_dir() and not place.is_symlink() and not (place / _BEFORE).exists():
            shutil.rmtree(place)


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
            _intended(folder / name, before),
            int(before.get("number", _UNNUMBERED)),
        )
    except KeyError as error:
        raise RunError(f"{folder / name}: {error} is missing. Remedy: {_REMEDY}") from error


def _intended(place: Path, before: dict[str, Any]) -> Intended | None:
    """Return what the run was about to do: nothing where it did not come to apt."""
    path = place / _INTENDED
    if path.exists():
        return from_json(_load(path))
    return NOTHING if "number" in before else None


_REMEDY = "restore it from a backup, or move this folder away to leave it out"


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}. Remedy: {_REMEDY}") from error
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise RunError(f"{path} is not a record of this version. Remedy: {_REMEDY}")
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
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make sure that what was created or renamed in a folder is there after a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
