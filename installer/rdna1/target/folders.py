"""Makes folders whose modes are set and not inherited.

Under the umask of somebody's login, sudo or controller a folder would be closed to those whom it
serves, or open to writing, and whoever can write a folder of root's records decides what root
puts back.
"""

from __future__ import annotations

from pathlib import Path

FOR_ALL, FOR_ITS_OWNER = 0o755, 0o700


def make_folders(path: Path, mode: int = FOR_ALL) -> None:
    """Make a folder and those above it, as far as they are missing.

    Args:
        path: of the folder.
        mode: of those that are made, whatever the umask; those that are there keep theirs.

    Raises:
        OSError: one cannot be made, or a file is in its place.
    """
    if path.is_dir():
        return
    make_folders(path.parent, mode)
    try:
        path.mkdir(mode=FOR_ITS_OWNER)
    except FileExistsError:
        # Another process was faster.
        if path.is_dir():
            return
        raise
    path.chmod(mode)
