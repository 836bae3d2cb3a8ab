"""What apt is going to do, written down before it starts.

A run that is killed in the middle of apt's work cannot say what it did. What it was about to do is
in its record, so that a rollback knows its packages from those that the owner installed since.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Sequence, Tuple

from .records import INTENDED, load, unfinished, write

# A line of apt-get --simulate: `Inst NAME [OLD] (NEW ARCHIVE ...)`; OLD only for an upgrade.
_LINE = re.compile(r"^(Inst|Remv|Purg) (\S+)( \[)?", re.MULTILINE)

# Runs a command; gives its exit status, its output and its complaints.
RunCommand = Callable[[List[str]], Tuple[int, str, str]]


class Intended(NamedTuple):
    """Names of packages, those of another architecture as ``NAME:ARCHITECTURE``.

    Attributes:
        install: that are going to be new.
        upgrade: that are going to have another version.
        remove: that are going to be gone.
        mark: that were asked for by name, and so get apt's mark.
    """

    install: list[str]
    upgrade: list[str]
    remove: list[str]
    mark: list[str]

    def with_more(self, other: Intended) -> Intended:
        """Return both as one: a run uses apt several times, and an interrupted one is run again."""
        return Intended(*(sorted({*one, *more}) for one, more in zip(self, other)))

    def names(self) -> set[str]:
        """Return all names."""
        return {name for names in self for name in names}


NOTHING = Intended([], [], [], [])


def simulate(run: RunCommand, arguments: Sequence[str], names: Sequence[str]) -> Intended:
    """Ask apt what it would do; nothing where it would fail, which it then says itself.

    Args:
        run: runs a command.
        arguments: of apt-get, without the packages.
        names: the packages, with or without a version.
    """
    status, output, _ = run(["apt-get", "--simulate", *arguments, *names])
    if status:
        return NOTHING
    return _parsed(output, names)


def intend(folder: Path, intended: Intended) -> bool:
    """Write down what apt is about to do, if a run is under way.

    Args:
        folder: of the records of runs.
        intended: what `simulate` returned.

    Returns:
        Whether it was written.

    Raises:
        RunError: a record cannot be read.
    """
    run = unfinished(folder)
    if intended == NOTHING or run is None:
        return False
    file = run / INTENDED
    earlier = from_json(load(file)) if file.exists() else NOTHING
    write(file, dict(earlier.with_more(intended)._asdict()))
    return True


def from_json(content: dict[str, Any]) -> Intended:
    """Return what a file holds.

    Raises:
        KeyError: a part of it is missing.
    """
    return Intended(*(content[name] for name in Intended._fields))


def _parsed(output: str, names: Sequence[str]) -> Intended:
    found = Intended([], [], [], [name.partition("=")[0] for name in names])
    for word, name, has_old in _LINE.findall(output):
        if word != "Inst":
            found.remove.append(name)
        elif has_old:
            found.upgrade.append(name)
        else:
            found.install.append(name)
    return found
