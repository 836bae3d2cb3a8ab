"""The umask of whoever runs something."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

# That of a hardened machine.
HARD = 0o077


@contextlib.contextmanager
def umask_of(mask: int) -> Iterator[None]:
    """Give this process, and what it starts, a umask in the ``with`` block."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
