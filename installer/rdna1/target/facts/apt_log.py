"""What dpkg printed when apt ran it last, as apt keeps it."""

from __future__ import annotations

import re

from ..rootfs import MissingError, RootFs

_FILE = "/var/log/apt/term.log"
_LIMIT = 64 * 1024 * 1024
_TAIL = 1024 * 1024
_CONFLICT = re.compile(
    r"trying to overwrite '(?P<path>[^']+)', which is also in package (?P<owner>\S+)"
)
_MOST = 20


def overwritten(rootfs: RootFs) -> list[dict[str, str]]:
    """Return ``path`` and ``owner`` of each file that dpkg refused to overwrite, the last ones.

    Raises:
        UnreadableError: the log exists and cannot be read.
    """
    try:
        text = rootfs.text(_FILE, _LIMIT)[-_TAIL:]
    except MissingError:
        return []
    found = [(match["path"], match["owner"]) for match in _CONFLICT.finditer(text)]
    return [{"path": path, "owner": owner} for path, owner in list(dict.fromkeys(found))[-_MOST:]]
