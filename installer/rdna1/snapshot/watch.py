"""The places that a provisioning may write to."""

from __future__ import annotations

import glob
import os
from typing import Iterator, NamedTuple

from ..host import accounts, miopen, variables
from ..host.reader import Reader
from ..host.unknown import Unknown

# What `rdna1.fix` and the roles append to the name of a file or folder that they keep.
BACKUP = ".rdna1-backup"

# Folder, and how deep it is written down; a folder at the deepest level counts as one thing.
_FOLDERS = (
    ("/etc/apt", 3),
    ("/etc/environment.d", 1),
    ("/etc/modprobe.d", 1),
    ("/etc/modules-load.d", 1),
    ("/etc/profile.d", 1),
    ("/etc/rdna1", 3),
    ("/etc/systemd/system", 2),
    ("/etc/systemd/system.conf.d", 1),
    ("/opt/rdna1", 2),
)
_FILES = ("/etc/modules", "/usr/local/bin/rdna1-*")
# Passwords of archives: no role touches them, so no copy of them is made.
_SECRET = ("/etc/apt/auth.conf", "/etc/apt/auth.conf.d")


class Place(NamedTuple):
    """A path, and how many levels below it are written down; 0 for the path alone."""

    path: str
    depth: int


def places(users: tuple[str, ...]) -> Iterator[Place]:
    """All places, those in homes of the users included; of existing ones where names are open.

    Args:
        users: named users; without names the start files of everybody are written down.
    """
    reader = Reader()
    for path, depth in _FOLDERS:
        yield Place(path, depth)
    for pattern in _FILES:
        yield from _matching(pattern)
    for path in variables.places(reader, users, Unknown()):
        yield from _file(path)
    for user in accounts.users(reader):
        if user.name in users:
            for name in miopen.FOLDERS:
                yield from _matching(f"{glob.escape(user.home)}/{name}")
                yield from _matching(f"{glob.escape(user.home)}/{name}{BACKUP}*")


def is_secret(path: str) -> bool:
    """Whether a path must not be copied."""
    return path in _SECRET


def _file(path: str) -> Iterator[Place]:
    """A file that may be a link, what it leads to, and the backups beside that."""
    yield Place(path, 0)
    real = os.path.realpath(path)
    if real != path:
        yield Place(real, 0)
    yield from _matching(f"{glob.escape(real)}{BACKUP}*")


def _matching(pattern: str) -> Iterator[Place]:
    # glob leaves out links to nowhere in some versions only: lexists decides for plain names.
    found = glob.glob(pattern) or ([pattern] if os.path.lexists(pattern) else [])  # noqa: PTH207
    for path in sorted(found):
        yield Place(path, 0)
