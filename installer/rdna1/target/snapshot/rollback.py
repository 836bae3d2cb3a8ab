"""What has to be done to get back to the state before a run."""

from __future__ import annotations

from typing import NamedTuple

from ..rootfs import RootFs
from .file_changes import FileChange, changed_files
from .package_changes import brought, is_broken, leftovers, old_marks, old_versions
from .packages import needed
from .runs import Run
from .state import State

# The only groups that roles put users into, and make where they are missing.
DEVICE_GROUPS = frozenset(["render", "video"])


class RollbackPlan(NamedTuple):
    """What to do; nothing of it is done yet.

    Attributes:
        purge: packages to remove with their configuration, or of which only that is there.
        remove: packages to remove, whose configuration was there before.
        keep: packages that the runs brought, and the package that needs each now.
        broken: packages to remove that dpkg has only half unpacked, which apt cannot remove.
        perhaps: packages that came during an interrupted run, by whose hand is unknown.
        versions: name to version of packages to bring back.
        auto: packages to mark as automatically installed.
        manual: packages to mark as wanted by hand.
        members: group and user to take out of it.
        groups: groups to remove.
        used_groups: groups that the runs made, and others joined since.
        perhaps_groups: groups that came during an interrupted run, by whose hand is unknown.
        files: paths that the runs changed.
    """

    purge: list[str]
    remove: list[str]
    keep: dict[str, str]
    broken: list[str]
    perhaps: list[str]
    versions: dict[str, str]
    auto: list[str]
    manual: list[str]
    members: list[tuple[str, str]]
    groups: list[str]
    used_groups: list[str]
    perhaps_groups: list[str]
    files: list[FileChange]


def plan(runs: list[Run], now: State) -> RollbackPlan:
    """Plan the rollback to the state before the first of some runs.

    Args:
        runs: the run to go back behind and all later ones, the oldest first.
        now: the present state.
    """
    target = runs[0].before
    added, perhaps = brought(runs, now)
    candidates = sorted(added & now.packages.keys() - target.packages.keys())
    keep = needed(RootFs(), candidates)
    going = [name for name in candidates if name not in keep]
    auto, manual = old_marks(runs, now)
    members = _members(runs, now)
    made, perhaps_made = _made_groups(runs, now)
    staying = {
        name: [u for u in now.groups[name]["members"] if (name, u) not in members] for name in made
    }
    return RollbackPlan(
        purge=sorted(
            [*(name for name in going if name not in target.leftovers), *leftovers(runs, now)]
        ),
        remove=[name for name in going if name in target.leftovers],
        keep=keep,
        broken=[name for name in going if is_broken(now.packages[name])],
        perhaps=sorted(perhaps & now.packages.keys() - target.packages.keys()),
        versions=old_versions(runs, now),
        auto=sorted({*auto, *(name for name in keep if not now.packages[name]["auto"])}),
        manual=manual,
        members=members,
        groups=[name for name in made if not staying[name]],
        used_groups=[name for name in made if staying[name]],
        perhaps_groups=perhaps_made,
        files=changed_files(runs, now),
    )


def _members(runs: list[Run], now: State) -> list[tuple[str, str]]:
    """Return memberships to take back: of the users that a run named, in the groups of the card.

    Whoever joined another group meanwhile did not do so by a run.
    """
    joined = {
        (group, user)
        for run in runs
        for group, user in _pairs(run.after or now) - _pairs(run.before)
        if group in DEVICE_GROUPS and user in run.users
    }
    return sorted(joined & _pairs(now) - _pairs(runs[0].before))


def _pairs(state: State) -> set[tuple[str, str]]:
    return {(name, user) for name, group in state.groups.items() for user in group["members"]}


def _made_groups(runs: list[Run], now: State) -> tuple[list[str], list[str]]:
    """Return groups that the runs made, and those where an interruption leaves it open."""
    certain: set[str] = set()
    open_ones: set[str] = set()
    for run in runs:
        added = (run.after or now).groups.keys() - run.before.groups.keys()
        if run.after is None:
            open_ones |= added - DEVICE_GROUPS
        certain |= added
    new = now.groups.keys() - runs[0].before.groups.keys()
    return sorted(certain & new - open_ones), sorted(open_ones & new)
