"""Replaces a file's content: with a backup next to it, in one step, owner and mode kept.

All of it happens in a folder that is held by a descriptor, with the rights of whose home it is in:
a user can put links and pipes in the place of everything in it at any time.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from rdna1.target.drafts import give_to, new_file
from rdna1.target.homes import Place, Tree
from rdna1.target.rights import RefusedError

# No program reads files of this ending: profile.d wants .sh, systemd and the others .conf.
_BACKUP = ".rdna1-backup"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# What a file system does not have, or root alone may set.
_NO_ATTRIBUTE = (errno.ENOTSUP, errno.ENODATA, errno.EINVAL, errno.EPERM, errno.EACCES)


class ChangedError(Exception):
    """The file is not any more what it was when it was read; the message names it."""


def rewrite(path: Path, old: bytes, new: bytes) -> Path:
    """Replace the content of a file.

    Args:
        path: of the file; its links are resolved already.
        old: content that it must have.
        new: content that it gets.

    Returns:
        The backup: ``NAME.rdna1-backup``, with a number where that exists.

    Raises:
        ChangedError: the content is not ``old``.
        OSError: a file cannot be read or written, or is not safe to; nothing is changed then.
    """
    with Tree().folder(str(path)) as place, _opened(place) as original:
        status = os.fstat(original)
        if not _holds(original, status, old):
            raise ChangedError(f"{path} changed meanwhile")
        if place.owner is not None and status.st_uid != place.owner.uid:
            raise RefusedError("not of the user whose home it is in", str(path))
        with new_file(place, _backup_names(place.name), old) as backup:
            _take_over(place, original, backup.descriptor)
            with place.rights():
                os.utime(backup.descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
            with new_file(place, [f".{place.name}.{os.getpid()}"], new) as draft:
                _take_over(place, original, draft.descriptor)
                with place.rights():
                    os.replace(
                        draft.name,
                        place.name,
                        src_dir_fd=place.descriptor,
                        dst_dir_fd=place.descriptor,
                    )
        return path.with_name(backup.name)


@contextlib.contextmanager
def _opened(place: Place) -> Iterator[int]:
    with place.rights():
        descriptor = os.open(place.name, _READ, dir_fd=place.descriptor)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _holds(descriptor: int, status: os.stat_result, content: bytes) -> bool:
    """Return whether a descriptor is of a regular file with this content."""
    if not stat.S_ISREG(status.st_mode) or status.st_size != len(content):
        return False
    with os.fdopen(descriptor, "rb", closefd=False) as stream:
        return stream.read(len(content) + 1) == content


def _backup_names(name: str) -> Iterator[str]:
    yield name + _BACKUP
    for number in itertools.count(2):
        yield f"{name}{_BACKUP}.{number}"


def _take_over(place: Place, original: int, copy: int) -> None:
    """Give a copy owner, mode and extended attributes (access lists) of the file."""
    status = os.fstat(original)
    mode = stat.S_IMODE(status.st_mode)
    give_to(place, copy, uid=status.st_uid, gid=status.st_gid, mode=mode)
    with place.rights():
        for name in _attributes(original):
            _copy_attribute(original, copy, name)


def _attributes(descriptor: int) -> list[str]:
    try:
        return os.listxattr(descriptor)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTE:
            return []
        raise


def _copy_attribute(from_descriptor: int, to_descriptor: int, name: str) -> None:
    try:
        os.setxattr(to_descriptor, name, os.getxattr(from_descriptor, name))
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTE:
            raise
