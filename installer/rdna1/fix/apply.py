"""Does the actions of a plan."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from rdna1.fix.files import ChangedError, rewrite
from rdna1.fix.lines import LineError, without
from rdna1.fix.plan import Action, FixPlan, RemoveSettings
from rdna1.target.dpkg_locks import FRONTEND_LOCKED, Holder, LockedError, dpkg_locked
from rdna1.target.facts.variables import FORBIDDEN
from rdna1.target.homes import Tree
from rdna1.target.printable import printable
from rdna1.target.rights import RefusedError
from rdna1.target.rootfs import TEXT_LIMIT

# su keeps the caller's PATH, which lacks the folders of the system's programs.
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# As long as the roles wait.
_LOCK_SECONDS = 600


class Result(msgspec.Struct, frozen=True):
    """How an action went: ``error`` is the reason of a failure, ``backup`` what it kept."""

    action: Action
    error: str | None = None
    backup: str | None = None


class ProgramError(Exception):
    """A program that failed; the message is one line."""


def review(planned: FixPlan, root: str) -> FixPlan:
    """Look at the files and leave to the user what cannot be taken out of them safely.

    Args:
        planned: the plan.
        root: root folder of the machine.
    """
    tree = Tree(root)
    obstacles = [(action, _obstacle(tree, action)) for action in planned.actions]
    return FixPlan(
        [action for action, obstacle in obstacles if obstacle is None],
        planned.by_hand + [obstacle for _, obstacle in obstacles if obstacle is not None],
    )


def run_program(command: list[str]) -> None:
    """Run a program of the system; what it prints goes where this program's output goes.

    dpkg, which would end where another program uses its database, waits for that program.

    Raises:
        ProgramError: it cannot be started, or fails.
    """
    if command[0] != "dpkg":
        _run(command, {})
        return
    try:
        with dpkg_locked(_LOCK_SECONDS, _say_who_holds):
            _run(command, FRONTEND_LOCKED)
    except LockedError as error:
        raise ProgramError(str(error)) from error


def _say_who_holds(holder: Holder) -> None:
    sys.stderr.write(f"waiting: {printable(str(holder))}\n")


def _run(command: list[str], more: Mapping[str, str]) -> None:
    environment = {**os.environ, "PATH": _PATH, "DEBIAN_FRONTEND": "noninteractive", **more}
    try:
        # An argument list without a shell; no limit in time, for dpkg must not be killed.
        done = subprocess.run(  # noqa: S603 - plan.py names the programs
            command, stdin=subprocess.DEVNULL, env=environment
        )
    except OSError as error:
        raise ProgramError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise ProgramError(f"{command[0]} ended with status {done.returncode}")


def apply(
    planned: FixPlan, root: str, run: Callable[[list[str]], None] = run_program
) -> Iterator[Result]:
    """Do the actions one by one; a failure does not keep the others from being done.

    Args:
        planned: the plan.
        root: root folder of the machine.
        run: runs a program; raises `ProgramError`.

    Yields:
        The result of each action as soon as it is known.
    """
    tree = Tree(root)
    for action in planned.actions:
        yield _applied(tree, action, run)


def _applied(tree: Tree, action: Action, run: Callable[[list[str]], None]) -> Result:
    try:
        if isinstance(action, RemoveSettings):
            place, old, new = _edited(tree, action)
            return Result(action, backup=str(rewrite(place, old, new)))
        run(action.command)
    except (LineError, ChangedError, ProgramError) as error:
        return Result(action, error=str(error))
    except OSError as error:
        reason = error.strerror or str(error)
        path = action.path if isinstance(action, RemoveSettings) else None
        return Result(action, error=reason if path is None else f"{path}: {reason}")
    return Result(action)


def _obstacle(tree: Tree, action: Action) -> str | None:
    """Return why a file must be left to the user, or None."""
    if not isinstance(action, RemoveSettings):
        return None
    try:
        _edited(tree, action)
    except RefusedError as error:
        return f"{FORBIDDEN} in {action.path}: {error.strerror}: take it out by hand"
    except OSError as error:
        return f"{action.path}: {error.strerror or error}"
    except LineError as error:
        return f"{FORBIDDEN} in {action.path}: {error}"
    return None


def _edited(tree: Tree, action: RemoveSettings) -> tuple[Path, bytes, bytes]:
    """Return where the file is, with all links resolved, its content, and what that becomes."""
    with tree.look(action.path) as found:
        place, old = found.location(), found.read(TEXT_LIMIT)
    # Bytes that are not UTF-8 come back as they were.
    text = without(action.path, old.decode("utf-8", "surrogateescape"), FORBIDDEN, action.values)
    return Path(place), old, text.encode("utf-8", "surrogateescape")
