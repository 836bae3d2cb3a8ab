"""Makes and removes files in a folder that is held, with the rights of the folder's owner."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Iterable, Iterator, NamedTuple

from .homes import Place
from .rights import RefusedError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NewFile(NamedTuple):
    """A file that was made, by its name in the folder and open for writing."""

    name: str
    descriptor: int


@contextlib.contextmanager
def new_file(place: Place, names: Iterable[str], content: bytes) -> Iterator[NewFile]:
    """Make a file of the first name that is free; it is gone again when the body fails.

    Args:
        place: a name in the folder.
        names: to be tried one after the other.
        content: of the file.

    Raises:
        FileExistsError: no name is free.
        OSError: it cannot be written.
    """
    with place.rights():
        made = _made(place, names)
        try:
            _write(made.descriptor, content)
        except BaseException:
            _discard(place, made)
            raise
    try:
        yield made
    except BaseException:
        with place.rights():
            _discard(place, made, close=False)
        raise
    finally:
        os.close(made.descriptor)


def give_to(place: Place, descriptor: int, *, uid: int, gid: int, mode: int) -> None:
    """Give owner, group and mode to a file or folder that was made.

    Raises:
        RefusedError: it would become somebody else's in a home.
        OSError: not permitted.
    """
    status = os.fstat(descriptor)
    if place.owner is not None and uid != place.owner.uid:
        raise RefusedError(
            f"it would belong to user id {uid}, not to the owner of the home", place.name
        )
    # A group that its owner is not in: root may give it, and loses nothing by it, as the mode is
    # set with the owner's rights, which set no group id on execution for such a group.
    if (status.st_uid, status.st_gid) != (uid, gid):
        os.fchown(descriptor, uid if status.st_uid != uid else -1, gid)
    with place.rights():
        os.fchmod(descriptor, mode)


def first_free(place: Place, names: Iterable[str]) -> str:
    """Return the first name that nothing in the folder has; call it with the owner's rights."""
    return next(name for name in names if not _is_there(place, name))


def remove(place: Place, name: str) -> None:
    """Remove a file, a link, or a folder with all that is in it; nothing is fine as well.

    Call it with the owner's rights.
    """
    try:
        status = os.stat(name, dir_fd=place.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=place.descriptor)
        return
    # By descriptors from the inside out: a folder that becomes a link meanwhile is not entered.
    walk = os.fwalk(name, topdown=False, follow_symlinks=False, dir_fd=place.descriptor)
    for _, folders, files, descriptor in walk:
        for file in files:
            os.unlink(file, dir_fd=descriptor)
        for folder in folders:
            _remove_folder(folder, descriptor)
    os.rmdir(name, dir_fd=place.descriptor)


def _remove_folder(name: str, descriptor: int) -> None:
    """Remove an empty folder, or a link to a folder."""
    try:
        os.rmdir(name, dir_fd=descriptor)
    except NotADirectoryError:
        os.unlink(name, dir_fd=descriptor)


def _made(place: Place, names: Iterable[str]) -> NewFile:
    for name in names:
        with contextlib.suppress(FileExistsError):
            return NewFile(name, os.open(name, _NEW, 0o600, dir_fd=place.descriptor))
    raise FileExistsError(17, "a file of the draft's name is in the way", place.name)


def _write(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb", closefd=False) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)


def _discard(place: Place, made: NewFile, *, close: bool = True) -> None:
    """Remove a file that was made, unless its name is somebody else's file by now."""
    with contextlib.suppress(OSError):
        there = os.stat(made.name, dir_fd=place.descriptor, follow_symlinks=False)
        if os.path.samestat(there, os.fstat(made.descriptor)):
            os.unlink(made.name, dir_fd=place.descriptor)
    if close:
        os.close(made.descriptor)


def _is_there(place: Place, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
