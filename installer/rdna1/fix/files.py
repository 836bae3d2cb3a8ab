"""Replaces a file's content: with a backup beside it, in one step, owner and mode kept."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

# No program reads files of this ending: profile.d wants .sh, systemd and the others .conf.
_BACKUP = ".rdna1-backup"


class ChangedError(Exception):
    """The file is not any more what it was when it was read; the message names it."""


def rewrite(place: Path, old: bytes, new: bytes) -> Path:
    """Replace the content of a file.

    Args:
        place: of the file; its links are resolved already.
        old: content that it must have.
        new: content that it gets.

    Returns:
        The backup: ``NAME.rdna1-backup``, with a number where that exists.

    Raises:
        ChangedError: the content is not ``old``.
        OSError: a file cannot be read or written; nothing is changed then.
    """
    # A user's home may hold a link or a pipe by now.
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if stream.read(len(old) + 1) != old:
            raise ChangedError(f"{place} changed meanwhile")
    with _created(_backup_names(place), old) as backup:
        _take_over(place, status, backup)
        with _created(iter([place.with_name(f".{place.name}.{os.getpid()}")]), new) as draft:
            _take_over(place, status, draft)
            os.utime(draft)
            draft.replace(place)
    return backup


def _backup_names(place: Path) -> Iterator[Path]:
    yield place.with_name(place.name + _BACKUP)
    for number in itertools.count(2):
        yield place.with_name(f"{place.name}{_BACKUP}.{number}")


@contextlib.contextmanager
def _created(names: Iterator[Path], content: bytes) -> Iterator[Path]:
    """A new file of the first name that is free; gone again when the body fails."""
    for path in names:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        break
    else:
        raise FileExistsError(0, "a file of the draft's name is in the way")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _take_over(place: Path, status: os.stat_result, copy: Path) -> None:
    """Give a copy owner, mode, times and extended attributes (access lists) of the file."""
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(copy, status.st_uid, status.st_gid)
    shutil.copystat(place, copy)
