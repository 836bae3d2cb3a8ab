"""The packages that runs brought, removed or marked, as a rollback looks at them."""

from __future__ import annotations

from typing import Any, Iterable, Iterator

from ..facts.dpkg import is_relevant
from .packages import Packages
from .runs import Run
from .state import State


def brought(runs: list[Run], now: State) -> tuple[set[str], set[str]]:
    """Return names that the runs added, and those where an interruption leaves it open."""
    certain: set[str] = set()
    open_ones: set[str] = set()
    for run in runs:
        after = run.after or now
        added = after.packages.keys() - run.before.packages.keys()
        if run.after is None:
            open_ones |= {name for name in added if not _is_own(name, run, after.packages)}
        certain |= added
    return certain - open_ones, open_ones


def leftovers(runs: list[Run], now: State) -> set[str]:
    """Return names that the runs added, and of which only the configuration is left."""
    target = runs[0].before
    added: set[str] = set()
    for run in runs:
        if run.after is not None:
            added |= run.after.packages.keys() - run.before.packages.keys()
        elif run.intended is not None:
            added.update(run.intended.install)
    return added & set(now.leftovers) - set(target.leftovers) - target.packages.keys()


def _is_own(name: str, run: Run, packages: Packages) -> bool:
    """Return whether an interrupted run brought a package that is new since it began."""
    if run.intended is not None:
        return name in run.intended.install
    return bool(packages[name]["auto"]) or is_relevant(name.partition(":")[0])


def is_broken(package: dict[str, Any]) -> bool:
    """Return whether dpkg has to unpack a package again before it can do anything else with it."""
    flag, _, state = str(package.get("state", "")).partition(" ")
    return flag == "reinstreq" or state == "half-installed"


def _touched(run: Run, names: Iterable[str]) -> Iterator[str]:
    """Yield those of some packages that a run may have changed."""
    certain = run.after is not None or run.intended is None
    ours = set() if run.intended is None else run.intended.names()
    return (name for name in names if certain or name in ours)


def old_versions(runs: list[Run], now: State) -> dict[str, str]:
    """Return packages that the runs removed or changed, where nobody changed them again."""
    target, wanted = runs[0].before.packages, {}
    for run, before, after in _steps(runs, now):
        for name in _touched(run, before.packages.keys() & target.keys()):
            left = after.packages.get(name, {}).get("version")
            is_untouched = now.packages.get(name, {}).get("version") == left
            if left != before.packages[name]["version"] and is_untouched:
                wanted[name] = str(target[name]["version"])
    present = {name: entry["version"] for name, entry in now.packages.items()}
    return {
        name: version for name, version in sorted(wanted.items()) if present.get(name) != version
    }


def old_marks(runs: list[Run], now: State) -> tuple[list[str], list[str]]:
    """Return packages whose mark the runs changed: to be automatic again, to be manual again."""
    target = runs[0].before.packages
    changed = {
        name
        for run, before, after in _steps(runs, now)
        for name in _touched(run, before.packages.keys() & target.keys())
        # One that a run removed comes back as if it was asked for.
        if after.packages.get(name, {}).get("auto") != before.packages[name]["auto"]
    }
    differing = [
        name
        for name in sorted(changed & now.packages.keys())
        if now.packages[name]["auto"] != target[name]["auto"]
    ]
    auto = [name for name in differing if target[name]["auto"]]
    return auto, [name for name in differing if not target[name]["auto"]]


def _steps(runs: list[Run], now: State) -> Iterator[tuple[Run, State, State]]:
    """Yield each run with the state before and after it.

    After an interrupted one it is the present.
    """
    for run in runs:
        yield run, run.before, run.after or now
