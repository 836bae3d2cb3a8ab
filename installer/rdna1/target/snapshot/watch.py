"""The places that a provisioning may write to."""

from __future__ import annotations

import contextlib
from typing import Dict, Iterable, Iterator, List, NamedTuple

from ...layout import COMMAND_START, HOME, HOME_SESSION_FOLDER, MODULES_FOLDER, SYSTEM
from ..facts import accounts, miopen, variables
from ..facts.unknown import Unknown
from ..homes import Tree
from ..rootfs import RootFs

# Folder to names in it, so that each is listed once.
Names = Dict[str, List[str]]

# What `rdna1.fix` and the roles append to the name of a file or folder that they keep.
BACKUP = ".rdna1-backup"

# Folder, and how deep it is written down; a folder at the deepest level counts as one thing.
_FOLDERS = (
    ("/etc/apt", 3),
    ("/etc/environment.d", 1),
    ("/etc/modprobe.d", 1),
    (MODULES_FOLDER, 1),
    ("/etc/profile.d", 1),
    (SYSTEM.settings, 3),
    ("/etc/systemd/system", 2),
    ("/etc/systemd/system.conf.d", 1),
    (SYSTEM.environments, 2),
)
# dpkg removes it with the last package that has files in it, though no package brought it.
COMMON_FOLDER = "/opt"
# Below a home, for one who provisions it without root.
_HOME_FOLDERS = (
    (HOME_SESSION_FOLDER, 1),
    (HOME.settings, 3),
    (HOME.environments, 2),
)
# A folder that is written down without what is in it, which is not this project's.
_ALONE = -1
_HOME_PARENTS = (".config", ".local", ".local/bin", ".local/share", ".local/state")
_MODULES = "/etc/modules"
# A folder with more was filled by somebody on purpose.
_MOST_NAMES = 10_000
# Passwords of archives: no role touches them, so no copy of them is made.
_SECRET = ("/etc/apt/auth.conf", "/etc/apt/auth.conf.d")


class Place(NamedTuple):
    """A path, and how many levels below it are written down.

    With 0 a folder stands for all that is in it, with -1 for nothing of it.
    """

    path: str
    depth: int


def places(users: tuple[str, ...], earlier: Iterable[Place] = ()) -> Iterator[Place]:
    """Yield all places, existing or not, those in homes of the users included.

    Args:
        users: named users; without names start files of everybody.
        earlier: places of records before, next to which there are backups by now.
    """
    rootfs, tree = RootFs(), Tree()
    listed: Names = {}
    yield Place(COMMON_FOLDER, _ALONE)
    for path, depth in _FOLDERS:
        yield Place(path, depth)
    yield Place(_MODULES, 0)
    forbidding = variables.forbidden_places(rootfs, users, Unknown())
    for path in _resolved(tree, [_MODULES, *forbidding]):
        yield Place(path, 0)
        yield from _backups(tree, path, listed)
    for name in _names(tree, SYSTEM.commands, listed):
        if name.startswith(COMMAND_START):
            yield Place(f"{SYSTEM.commands}/{name}", 0)
    for user in accounts.users(rootfs):
        if user.name in users:
            yield from _miopen_places(tree, user.home, listed)
    for place in earlier:
        if place.depth == 0 and BACKUP not in place.path:
            yield from _backups(tree, place.path, listed)


def home_places(home: str) -> Iterator[Place]:
    """Yield the places in a home that a provisioning without root may write to.

    Args:
        home: of who provisions it.
    """
    tree = Tree()
    listed: Names = {}
    for name in _HOME_PARENTS:
        yield Place(f"{home}/{name}", _ALONE)
    for name, depth in _HOME_FOLDERS:
        yield Place(f"{home}/{name}", depth)
    commands = f"{home}/{HOME.commands}"
    for name in _names(tree, commands, listed):
        if name.startswith(COMMAND_START):
            yield Place(f"{commands}/{name}", 0)
    yield from _miopen_places(tree, home, listed)


def _resolved(tree: Tree, paths: Iterable[str]) -> Iterator[str]:
    """Yield where the files are that a role changes by these paths: what links lead to.

    What is not safe to change no role changes.
    """
    for path in paths:
        try:
            with tree.look(path) as found:
                place = found.location()
        except FileNotFoundError:
            place = path
        except OSError:
            continue
        yield place


def _miopen_places(tree: Tree, home: str, listed: Names) -> Iterator[Place]:
    for name in miopen.FOLDERS:
        yield Place(f"{home}/{name}", 0)
        yield from _backups(tree, f"{home}/{name}", listed)


def covers(path: str, places: Iterable[Place]) -> bool:
    """Return whether a record of these places would hold a path, if there was anything."""
    commands, _, name = path.rpartition("/")
    if name.startswith(COMMAND_START) and (
        commands == SYSTEM.commands or commands.endswith(f"/{HOME.commands}")
    ):
        return True
    origin = path.partition(BACKUP)[0]
    return any(
        place.path in (path, origin) or (place.depth > 0 and path.startswith(f"{place.path}/"))
        for place in places
    )


def _backups(tree: Tree, path: str, listed: Names) -> Iterator[Place]:
    folder, _, name = path.rpartition("/")
    for other in _names(tree, folder, listed):
        if other.startswith(name + BACKUP):
            yield Place(f"{folder}/{other}", 0)


def _names(tree: Tree, folder: str, listed: Names) -> list[str]:
    """Return names in a folder, which is listed once; none where it cannot be."""
    if folder not in listed:
        listed[folder] = []
        with contextlib.suppress(OSError), tree.look(folder) as found:
            listed[folder] = found.names(_MOST_NAMES)
    return listed[folder]


def is_secret(path: str) -> bool:
    """Return whether a path must not be copied."""
    return path in _SECRET
