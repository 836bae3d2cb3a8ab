"""Closes uv's own locks, which it makes with mode 0666.

Whoever can open a lock can hold it, and root would wait for them. uv keeps the mode of a lock that
is there, and enters folders that are its caller's alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..exclusive_lock import open_lock_file
from ..folders import FOR_ITS_OWNER, make_folders

_OTHERS = 0o077
_LOCK = ".lock"


def close_cache(cache: Path) -> None:
    """Make a cache its owner's alone, and take the locks of an open one from whoever has them.

    Raises:
        OSError: a folder or a lock cannot be changed.
    """
    make_folders(cache, FOR_ITS_OWNER)
    if not cache.stat().st_mode & _OTHERS:
        return
    cache.chmod(FOR_ITS_OWNER)
    # Others may be within, or have locks open: what they have is then not what uv opens.
    for folder, _, files in os.walk(cache):
        os.chmod(folder, FOR_ITS_OWNER)  # noqa: PTH101 - thousands of folders
        for name in files:
            if name.endswith(_LOCK):
                os.unlink(os.path.join(folder, name))  # noqa: PTH108, PTH118 - the same


def close_lock(folder: Path) -> None:
    """Put a lock that nobody else can open into a folder of uv's that all can enter.

    Raises:
        ExclusiveLockError: others could replace it.
        OSError: the folder cannot be made.
    """
    make_folders(folder)
    os.close(open_lock_file(folder / _LOCK))


def begin_environment(environment: Path) -> None:
    """Make an empty folder for an environment, closed until all is in it and uv is done.

    Raises:
        OSError: it is there, or cannot be made.
    """
    environment.mkdir(mode=FOR_ITS_OWNER)


def end_environment(environment: Path) -> None:
    """Remove uv's lock of an environment, on which no other uv of ours works.

    Raises:
        OSError: it cannot be removed.
    """
    (environment / _LOCK).unlink(missing_ok=True)
