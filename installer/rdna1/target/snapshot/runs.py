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
import os
import shutil
import stat
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ..folders import FOR_ALL, FOR_ITS_OWNER, make_folders
from .intended import NOTHING, Intended, from_json
from .markdown import to_markdown
from .records import (
    AFTER,
    BEFORE,
    INTENDED,
    PAGE,
    REMEDY,
    UNNUMBERED,
    RunError,
    load,
    number_of,
    sync_folder,
    write,
    write_text,
)
from .state import State
from .watch import Place

_OWN = "rdna1"


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
    number: int = UNNUMBERED


def list_runs(folder: Path) -> list[Run]:
    """Return all runs, the oldest first.

    Raises:
        RunError: a record cannot be read.
    """
    names = (path.parent.name for path in folder.glob(f"*/{BEFORE}"))
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
        "number": max((other.number for other in earlier), default=UNNUMBERED) + 1,
        "taken": taken,
        "users": run.users,
        "facts": facts,
        **run.before._asdict(),
    }
    write_text(place / PAGE, to_markdown(place.name, record))
    # Last: a folder without it counts as nothing.
    write(place / BEFORE, record)
    sync_folder(folder)
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
        if place.is_dir() and not place.is_symlink() and not (place / BEFORE).exists():
            shutil.rmtree(place)


def _add_users(folder: Path, run: Run, users: list[str]) -> None:
    """Add users to the record of an interrupted run that goes on."""
    if set(users) <= set(run.users):
        return
    place = folder / run.name / BEFORE
    write(place, {**load(place), "users": sorted({*run.users, *users})})


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
    write(folder / runs[-1].name / AFTER, dict(after.without_contents()._asdict()))
    return True


def forget(folder: Path, runs: list[Run]) -> None:
    """Remove the records of runs, the newest first, so that an interruption leaves the oldest."""
    for run in reversed(runs):
        (folder / run.name / BEFORE).unlink()
        shutil.rmtree(folder / run.name)


def _read(folder: Path, name: str) -> Run:
    before = load(folder / name / BEFORE)
    after = folder / name / AFTER
    try:
        return Run(
            name,
            before["users"],
            _state(before),
            _state(load(after)) if after.exists() else None,
            _intended(folder / name, before),
            number_of(before),
        )
    except KeyError as error:
        raise RunError(f"{folder / name}: {error} is missing. Remedy: {REMEDY}") from error


def _intended(place: Path, before: dict[str, Any]) -> Intended | None:
    """Return what the run was about to do: nothing where it did not come to apt."""
    path = place / INTENDED
    if path.exists():
        return from_json(load(path))
    return NOTHING if "number" in before else None


def _state(content: dict[str, Any]) -> State:
    state = State(*(content[name] for name in State._fields))
    return state._replace(places=[Place(*place) for place in content["places"]])
