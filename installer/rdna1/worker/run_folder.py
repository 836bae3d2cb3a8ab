"""The folder of a run: its own, and removed by the next run if this one is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from rdna1.target.exclusive_lock import try_lock

_PREFIX = "rdna1-conv-"


class RunFolder:
    """A temporary folder that is locked with flock(2) while its process lives.

    The lock ends with the process, so a folder without one is left over. Folders of other
    users are left alone, and links are not followed.

    Attributes:
        path: the folder.
    """

    def __init__(self) -> None:
        """Remove what killed processes of this user have left, then make a folder.

        Raises:
            OSError: there is no place for it.
        """
        parent = Path(tempfile.gettempdir())
        for left_over in parent.glob(f"{_PREFIX}*"):
            _remove_if_abandoned(left_over)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
            self._descriptor = _locked(self.path)
            if self._descriptor is not None:
                return
            # Another run took it for abandoned before it was locked.

    def remove(self) -> None:
        """Remove the folder; what an unkillable process still writes there stays."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _remove_if_abandoned(path: Path) -> None:
    descriptor = _locked(path)
    if descriptor is not None:
        # rmtree follows no links, and in a sticky folder nobody else can have moved ours.
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _locked(path: Path) -> int | None:
    """Lock a folder of this user's; None if it is not one, is gone, or is locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if try_lock(descriptor):
            opened, named = os.fstat(descriptor), path.lstat()
            if opened.st_uid == os.geteuid() and os.path.samestat(opened, named):
                return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None
