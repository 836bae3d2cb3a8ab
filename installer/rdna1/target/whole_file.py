"""Writes files of this project's own that appear complete or not at all.

The draft is next to its place, under a name that nobody can know before, made again and for the
writer alone; the folder is held open meanwhile. `drafts` does the same below folders of others.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Iterator

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def whole_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Open a draft that takes its place when it was written, whatever is there.

    Args:
        path: of the file; a link there is replaced, not followed.
        mode: of the file, whatever the umask.

    Raises:
        OSError: it could not be written; what was there is as it was.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    draft = f".{path.name[:200]}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(draft, _NEW, 0o600, dir_fd=folder), "w+b") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(draft, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
    finally:
        os.close(folder)


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file at once; see `whole_file`."""
    with whole_file(path, mode) as file:
        file.write(content)
