"""Which file system a descriptor is on."""

from __future__ import annotations

import re
from pathlib import Path

# What the kernel makes up. Reading there may wait for ever, or act.
_MADE_UP = frozenset(
    "binder binfmt_misc bpf cgroup cgroup2 configfs cpuset debugfs devfs devpts devtmpfs "  # noqa: SIM905 - a list of 32 lines reads worse
    "efivarfs functionfs fusectl hugetlbfs mqueue nfsd nsfs pipefs proc pstore resctrl "
    "rpc_pipefs securityfs selinuxfs smackfs sockfs sysfs tracefs xenfs".split()
)
_FUSE = re.compile(r"fuse(?:\..*)?")
_BY_ROOT = "user_id=0"
_MOUNT = re.compile(r"^mnt_id:\s*(\d+)$", re.MULTILINE)


def mount_of(descriptor: int) -> int | None:
    """Return the number of the mount that a descriptor is on; None where /proc is missing.

    The file system itself is not asked: one of a user's program need not answer.
    """
    try:
        text = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="utf-8")
    except OSError:
        return None
    found = _MOUNT.search(text)
    return int(found[1]) if found else None


class Mounts:
    """The mounts of this process, read again when one is met that was not there.

    Attributes:
        of_users: whether there are some that a user's own program answers for.
    """

    def __init__(self) -> None:
        """Read the mounts that there are."""
        self._known = _mounts()
        self.of_users = any(_is_of_user(*system) for system in self._known.values())

    def why_not_read(self, mount: int, *, made_up: bool) -> str | None:
        """Return why nothing on a mount is read, or None.

        Args:
            mount: its number, see `mount_of`.
            made_up: whether what the kernel makes up is read, too.
        """
        if mount not in self._known:
            self._known = _mounts()
        if mount not in self._known:
            return "on an unknown file system"
        kind, options = self._known[mount]
        if _is_of_user(kind, options):
            return f"on the file system {kind} of a user"
        return f"on the file system {kind}" if kind in _MADE_UP and not made_up else None


def _is_of_user(kind: str, options: str) -> bool:
    return bool(_FUSE.fullmatch(kind)) and _BY_ROOT not in options.split(",")


def _mounts() -> dict[int, tuple[str, str]]:
    """Return the number of each mount to the kind of its file system and that one's options."""
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[int, tuple[str, str]] = {}
    for line in text.splitlines():
        place, _, system = line.partition(" - ")
        kind, _, rest = system.partition(" ")
        found[int(place.split()[0])] = (kind, rest.rpartition(" ")[2])
    return found
