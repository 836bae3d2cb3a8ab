"""What has to be done to get back to the state before a run."""

from __future__ import annotations

import fnmatch
from typing import Any, Iterable, Iterator, NamedTuple

from ..facts.dpkg import is_relevant
from ..rootfs import RootFs
from .files import Entry, same
from .packages import Packages, needed
from .runs import Run
from .state import State
from .watch import BACKUP, COMMON_FOLDER, covers

# The only groups that roles put users into, and make where they are missing.
DEVICE_GROUPS = frozenset(["render", "video"])

# Written by programs of this project between two runs.
_ALWAYS_OWN = ("/etc/rdna1/envelope.json", "/*/.config/rdna1/envelope.json")
# What an interrupted run may have made: it could not say what it did.
_OWN = (
    "/etc/apt/*rdna1*",
    "/etc/apt/*rocm*",
    "/etc/apt/*amdgpu*",
    "/etc/mod*rdna1*",
    "/etc/profile.d/rocm-rdna1-*",
    "/etc/rdna1",
    "/etc/rdna1/*",
    "/opt/rdna1",
    "/opt/rdna1/*",
    "/usr/local/bin/rdna1-*",
    "/*/.config",
    "/*/.config/environment.d",
    "/*/.config/environment.d/rdna1-*",
    "/*/.config/rdna1",
    "/*/.config/rdna1/*",
    "/*/.local",
    "/*/.local/bin",
    "/*/.local/bin/rdna1-*",
    "/*/.local/share",
    "/*/.local/share/rdna1",
    "/*/.local/share/rdna1/*",
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
    """Plan the way back to the state before the first of some runs.

    Args:
        runs: the run to go back behind and all later ones, the oldest first.
        now: the present state.
    """
    target = runs[0].before
    brought, perhaps = _brought(runs, now)
    candidates = sorted(brought & now.packages.keys() - target.packages.keys())
    keep = needed(RootFs(), candidates)
    going = [name for name in candidates if name not in keep]
    auto, manual = _marks(runs, now)
    members = _members(runs, now)
    made, perhaps_made = _made_groups(runs, now)
    staying = {
        name: [u for u in now.groups[name]["members"] if (name, u) not in members] for name in made
    }
    return RollbackPlan(
        purge=sorted(
            [*(name for name in going if name not in target.leftovers), *_leftovers(runs, now)]
        ),
        remove=[name for name in going if name in target.leftovers],
        keep=keep,
        broken=[name for name in going if is_broken(now.packages[name])],
        perhaps=sorted(perhaps & now.packages.keys() - target.packages.keys()),
        versions=_versions(runs, now),
        auto=sorted({*auto, *(name for name in keep if not now.packages[name]["auto"])}),
        manual=manual,
        members=members,
        groups=[name for name in made if not staying[name]],
        used_groups=[name for name in made if staying[name]],
        perhaps_groups=perhaps_made,
        files=_files(runs, now),
    )


def _steps(runs: list[Run], now: State) -> Iterator[tuple[Run, State, State]]:
    """Each run with the state before and after it; after an interrupted one it is the present."""
    for run in runs:
        yield run, run.before, run.after or now


def _brought(runs: list[Run], now: State) -> tuple[set[str], set[str]]:
    """Names that the runs added, and those where an interruption leaves it open."""
    certain: set[str] = set()
    open_ones: set[str] = set()
    for run in runs:
        after = run.after or now
        added = after.packages.keys() - run.before.packages.keys()
        if run.after is None:
            open_ones |= {name for name in added if not _is_own(name, run, after.packages)}
        certain |= added
    return certain - open_ones, open_ones


def _leftovers(runs: list[Run], now: State) -> set[str]:
    """Names that the runs added, of which a removal that was cut short left the configuration."""
    target = runs[0].before
    added: set[str] = set()
    for run in runs:
        if run.after is not None:
            added |= run.after.packages.keys() - run.before.packages.keys()
        elif run.intended is not None:
            added.update(run.intended.install)
    return added & set(now.leftovers) - set(target.leftovers) - target.packages.keys()


def _is_own(name: str, run: Run, packages: Packages) -> bool:
    """Whether an interrupted run brought a package that is new since it began."""
    if run.intended is not None:
        return name in run.intended.install
    return bool(packages[name]["auto"]) or is_relevant(name.partition(":")[0])


def is_broken(package: dict[str, Any]) -> bool:
    """Whether dpkg has to unpack a package again before it can do anything else with it."""
    flag, _, state = str(package.get("state", "")).partition(" ")
    return flag == "reinstreq" or state == "half-installed"


def _touched(run: Run, names: Iterable[str]) -> Iterator[str]:
    """Those of some packages that a run may have changed."""
    certain = run.after is not None or run.intended is None
    ours = set() if run.intended is None else run.intended.names()
    return (name for name in names if certain or name in ours)


def _versions(runs: list[Run], now: State) -> dict[str, str]:
    """Packages that the runs removed or changed, where nobody changed them again."""
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


def _marks(runs: list[Run], now: State) -> tuple[list[str], list[str]]:
    """Packages whose mark the runs changed: to be automatic again, to be manual again."""
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


def _members(runs: list[Run], now: State) -> list[tuple[str, str]]:
    """Memberships to take back: of the users that a run named, in the groups of the card.

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
    """Groups that the runs made, and those where an interruption leaves it open."""
    certain: set[str] = set()
    open_ones: set[str] = set()
    for run in runs:
        added = (run.after or now).groups.keys() - run.before.groups.keys()
        if run.after is None:
            open_ones |= added - DEVICE_GROUPS
        certain |= added
    new = now.groups.keys() - runs[0].before.groups.keys()
    return sorted(certain & new - open_ones), sorted(open_ones & new)


def _files(runs: list[Run], now: State) -> list[FileChange]:
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
    """Whether the path is where a run moved a folder to, out of the way."""
    entry: Entry | None = change.after
    return (
        BACKUP in change.path.rpartition("/")[2]
        and change.before is None
        and entry is not None
        and entry["kind"] == "folder"
    )


def differences(target: State, now: State) -> list[str]:
    """How the present state differs from a recorded one, in words."""
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
