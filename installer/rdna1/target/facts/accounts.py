"""Users and groups, from /etc/passwd and /etc/group."""

from __future__ import annotations

from typing import NamedTuple

from ..rootfs import RootFs, UnreadableError
from .unknown import Unknown

_FIRST_PERSON = 1000  # uid of the first person on Debian and Ubuntu
_NOBODY = 65534
_ROOT = "0"


class User(NamedTuple):
    """One line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    home: str


class Group(NamedTuple):
    """One line of /etc/group."""

    name: str
    gid: int
    members: list[str]


def users(rootfs: RootFs) -> list[User]:
    """Return all users; damaged lines are left out.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    rows = _rows(rootfs, "/etc/passwd", 7)
    return [
        User(row[0], int(row[2]), int(row[3]), row[5])
        for row in rows
        if _is_id(row[2]) and _is_id(row[3])
    ]


def groups(rootfs: RootFs) -> list[Group]:
    """Return all groups; damaged lines are left out.

    Raises:
        UnreadableError: /etc/group cannot be read.
    """
    rows = _rows(rootfs, "/etc/group", 4)
    return [
        Group(row[0], int(row[2]), [name for name in row[3].split(",") if name])
        for row in rows
        if _is_id(row[2])
    ]


def memberships(rootfs: RootFs, names: tuple[str, ...]) -> list[dict[str, object]]:
    """Return ``name``, ``exists`` and ``groups`` (the primary one included) of each asked user.

    Raises:
        UnreadableError: one of the two files cannot be read.
    """
    known = {user.name: user for user in users(rootfs)}
    listed = groups(rootfs)
    return [_membership(name, known.get(name), listed) for name in names]


def _membership(name: str, user: User | None, listed: list[Group]) -> dict[str, object]:
    primary = None if user is None else user.gid
    return {
        "name": name,
        "exists": user is not None,
        "groups": [group.name for group in listed if group.gid == primary or name in group.members],
    }


def homes(rootfs: RootFs, names: tuple[str, ...]) -> list[str]:
    """Give home folders of root and of the asked users; without names of all with a uid from 1000.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """

    def is_asked(user: User) -> bool:
        if user.uid == 0 or user.name in names:
            return True
        return not names and user.uid >= _FIRST_PERSON and user.uid != _NOBODY

    return sorted({user.home for user in users(rootfs) if is_asked(user)})


def homes_of_root(rootfs: RootFs) -> list[str]:
    """Return home folders of root, under whatever name.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    return [user.home for user in users(rootfs) if user.uid == 0]


def open_homes(rootfs: RootFs, names: tuple[str, ...], unknown: Unknown, fact: str) -> list[str]:
    """Return those of the `homes` that are there and may be entered.

    Args:
        rootfs: of the machine.
        names: users who were asked about.
        unknown: gets one reason for each that must not be entered, under ``fact`` and its path.
        fact: that is read in them.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    return [
        home
        for home in homes(rootfs, names)
        if unknown.collect(f"{fact}.{home}", rootfs.enter, home)
    ]


def owner_name(rootfs: RootFs, uid: int) -> str:
    """Return the name of a user id, or its number when it has none."""
    try:
        return next((user.name for user in users(rootfs) if user.uid == uid), str(uid))
    except UnreadableError:
        return str(uid)


def group_name(rootfs: RootFs, gid: int) -> str:
    """Return the name of a group id, or its number when it has none."""
    try:
        return next((group.name for group in groups(rootfs) if group.gid == gid), str(gid))
    except UnreadableError:
        return str(gid)


def members(rootfs: RootFs, gid: int) -> list[str]:
    """Return names of the users in a group, root left out; none where no file tells."""
    try:
        listed = [name for group in groups(rootfs) if group.gid == gid for name in group.members]
        primary = [user.name for user in users(rootfs) if user.gid == gid]
    except UnreadableError:
        return []
    return sorted({*listed, *primary} - {"root"})


def _rows(rootfs: RootFs, path: str, fields: int) -> list[list[str]]:
    rows = (line.split(":") for line in rootfs.text(path).splitlines())
    return [row for row in rows if len(row) == fields]


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10


def session(rootfs: RootFs) -> dict[str, object]:
    """Give ``user`` and ``groups`` of the nearest process above that is not root's, or of this one.

    sudo and Ansible's become run this as root; the shell they were started from still has
    the groups of the login.

    Raises:
        UnreadableError: under another root, or /proc does not show a process on the way.
    """
    if not rootfs.live:
        raise UnreadableError("a session belongs to a running machine")
    own = process = _process(rootfs, "self")
    while process["Uid"][0] == _ROOT and process["PPid"] not in ([], ["0"]):
        process = _process(rootfs, process["PPid"][0])
    if process["Uid"][0] == _ROOT:
        process = own
    gids = {int(gid) for gid in [process["Gid"][0], *process["Groups"]]}
    names = {group.gid: group.name for group in groups(rootfs)}
    return {
        "user": owner_name(rootfs, int(process["Uid"][0])),
        "groups": sorted(names.get(gid, str(gid)) for gid in gids),
    }


def _process(rootfs: RootFs, pid: str) -> dict[str, list[str]]:
    """Return words of the lines that matter (proc_pid_status(5))."""
    path = f"/proc/{pid}/status"
    lines = (line.partition(":") for line in rootfs.text(path).splitlines())
    found = {name: words.split() for name, _, words in lines}
    if not all(found.get(name) for name in ("Uid", "Gid")):
        raise UnreadableError(f"{path}: no user and group")
    return {name: found.get(name, []) for name in ("Uid", "Gid", "PPid", "Groups")}
