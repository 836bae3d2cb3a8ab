"""How much apt is going to fetch."""

from __future__ import annotations

import re
from typing import Sequence

from .snapshot.intended import RunCommand

# A line of apt-get --print-uris: 'URI' FILE SIZE HASH. The URI may hold a password.
_LINE = re.compile(r"^'[^']*' \S+ (\d+)(?: |$)", re.MULTILINE)


def bytes_to_fetch(run: RunCommand, arguments: Sequence[str], names: Sequence[str]) -> int:
    """Return the size of the archives that apt does not have yet; 0 where it would fail.

    Args:
        run: runs a command.
        arguments: of apt-get, without the packages.
        names: the packages, with or without a version.
    """
    status, output, _ = run(["apt-get", "--quiet=2", "--print-uris", *arguments, *names])
    return 0 if status else sum(map(int, _LINE.findall(output)))
