"""The login session that runs this, whose groups may be older than /etc/group."""

from __future__ import annotations

from ..rootfs import RootFs, UnreadableError
from . import accounts

_ROOT = "0"


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
    names = {group.gid: group.name for group in accounts.groups(rootfs)}
    return {
        "user": accounts.owner_name(rootfs, int(process["Uid"][0])),
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
