"""Whose rights a process acts with."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
from pathlib import Path
from typing import Iterator, NamedTuple

_FIRST_PERSON = 1000  # uid and gid of the first person on Debian and Ubuntu
_NO_GROUP = 65534
ONLY_ROOT = (
    "only root can change this machine, and the play runs as another user. "
    "Remedy: run as root, or with sudo (ansible-playbook --ask-become-pass), or do "
    "without root ({})"
)


class RefusedError(PermissionError):
    """Something that is not done, for safety; ``strerror`` is the reason."""

    def __init__(self, reason: str, path: str) -> None:
        """Refuse ``path``."""
        super().__init__(1, reason, path)


class Owner(NamedTuple):
    """Somebody whose rights are taken."""

    uid: int
    gid: int

    @classmethod
    def of(cls, status: os.stat_result) -> Owner:
        """Return the owner of a file or folder, with the group of the account.

        Without an account it is the group of the file, unless that is one of the system's,
        which root alone can have given to the file.
        """
        gid = _group_of_account(status.st_uid)
        if gid is None:
            gid = status.st_gid if status.st_gid >= _FIRST_PERSON else _NO_GROUP
        return cls(status.st_uid, gid)


@contextlib.contextmanager
def acting_as(owner: Owner | None) -> Iterator[None]:
    """Act with somebody's rights and no supplementary groups.

    A process that is not root, or not any more, goes on with the rights that it has.

    Args:
        owner: None for the rights that the process has.
    """
    if owner is None or owner.uid == 0 or os.geteuid() != 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    try:
        os.setegid(owner.gid)
        os.seteuid(owner.uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def is_somebody(uid: int) -> bool:
    """Return whether a file of this user id belongs to somebody other than root.

    In a container of an ordinary user the files of the system outside show one id that nobody
    can have there. Root of the container has no rights over them that could be given away.
    """
    return uid != 0 and any(first <= uid < first + count for first, count in _mapped())


def _group_of_account(uid: int) -> int | None:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return None


@functools.lru_cache(maxsize=None)
def _mapped() -> list[tuple[int, int]]:
    """Return the first and count of the user ids that exist in this process's user namespace."""
    try:
        lines = Path("/proc/self/uid_map").read_text(encoding="utf-8").splitlines()
    except OSError:
        return [(0, 2**32)]
    return [(int(first), int(count)) for first, _, count in map(str.split, lines)]
