"""How the present state differs from a recorded one, in words."""

from __future__ import annotations

from typing import Iterator

from .files import same
from .state import State
from .watch import covers


def differences(target: State, now: State) -> list[str]:
    """Return how the present state differs from a recorded one, in words."""
    return [*_other_packages(target, now), *_other_groups(target, now), *_other_files(target, now)]


def _other_packages(target: State, now: State) -> Iterator[str]:
    for name in sorted(target.packages.keys() | now.packages.keys()):
        before, after = target.packages.get(name), now.packages.get(name)
        if before is None:
            yield f"package {name}: came since, and not by a run"
        elif after is None:
            yield f"package {name}: was removed since, and not by a run"
        elif before != after:
            yield f"package {name}: was changed since, and not by a run"
    for name in sorted({*now.leftovers} - {*target.leftovers} - target.packages.keys()):
        yield f"package {name}: its configuration is there since, and not by a run"


def _other_groups(target: State, now: State) -> Iterator[str]:
    for name in sorted(target.groups.keys() | now.groups.keys()):
        if target.groups.get(name) != now.groups.get(name):
            yield f"group {name}: was changed since, and not by a run"


def _other_files(target: State, now: State) -> Iterator[str]:
    for path in sorted(target.files.keys() | now.files.keys()):
        before, after = target.files.get(path), now.files.get(path)
        is_known = before is not None or covers(path, target.places)
        if is_known and not same(before, after):
            yield f"{path}: was changed since, and not by a run"
