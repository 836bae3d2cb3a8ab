"""Files, links and folders as plain data."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import stat
from typing import Any, Dict, Iterable, Iterator, Optional

from ..homes import Place as Spot
from ..homes import Tree
from ..mounts import Mounts, mount_of
from .watch import BACKUP, Place, is_secret

Entry = Dict[str, Any]
Entries = Dict[str, Entry]

# Larger ones are programs that the roles bring; no text file of a system comes near it.
_LARGEST = 1024 * 1024
# Of all contents together, and of what belongs to one user: settings are a hundredth of it.
_ALL = 32 * 1024 * 1024
_OF_A_USER = 4 * 1024 * 1024
TOO_LARGE = "too large to have been written down"
_MOST_NAMES = 10_000
_POINT = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# What does not tell whether two entries are the same thing.
_BESIDE = ("content", "modified_ns", "parents", "reason")


class Recorder:
    """Writes down what is at some places, within limits for all of them together."""

    def __init__(self, *, contents: bool) -> None:
        """Begin with nothing.

        Args:
            contents: whether entries of files hold their content, too.
        """
        self.entries: Entries = {}
        self._contents = contents
        self._room = _ALL
        self._rooms: dict[int, int] = {}
        self._tree = Tree()
        self._mounts = Mounts()

    def add(self, place: Place) -> None:
        """Write down a place, as deep as it says; nothing where it does not exist."""
        self._add(place.path, place.depth)

    def entry(self, spot: Spot, name: str = "", *, whole: bool) -> Entry | None:
        """Return what is at a name in a folder, or None when there is nothing.

        Args:
            spot: the folder, which is held, and the name.
            name: another name in it.
            whole: whether a folder stands for all that is in it.

        Returns:
            ``kind`` (``file``, ``link`` or ``folder``), ``uid``, ``gid``, and by kind ``mode``,
            ``sha256``, ``modified_ns``, ``content`` (Base64), ``target``, ``whole``; in a home
            ``parents`` (owner, device and inode of each folder in it on the way). A file that
            cannot be read safely, or is above 1 MiB, has ``size``, ``changed_ns`` and a ``reason``
            instead of ``sha256``. What is none of a run's doing is ``left out``, with a
            ``reason``.

        Raises:
            OSError: it exists and cannot be read.
        """
        with spot.rights():
            try:
                descriptor = os.open(name or spot.name, _POINT, dir_fd=spot.descriptor)
            except FileNotFoundError:
                return None
            try:
                return self._described(spot, descriptor, whole)
            finally:
                os.close(descriptor)

    def _add(self, path: str, depth: int) -> None:
        if is_secret(path):
            return
        try:
            with self._tree.folder(path) as spot:
                entry = self.entry(spot, whole=depth == 0)
                if entry is None:
                    return
                self.entries[path] = entry
                if entry["kind"] != "folder" or depth <= 0:
                    return
                names = names_in(spot)
        except (FileNotFoundError, NotADirectoryError):
            return
        except PermissionError as error:
            self.entries[path] = _left_out(error.strerror or str(error))
            return
        for name in names:
            self._add(f"{path}/{name}", depth - 1)

    def _described(self, spot: Spot, descriptor: int, whole: bool) -> Entry:
        status = os.fstat(descriptor)
        entry: Entry = {"uid": status.st_uid, "gid": status.st_gid}
        if is_foreign(spot):
            if spot.owner is not None and status.st_uid != spot.owner.uid:
                return _left_out(f"of user id {status.st_uid}, not of the owner of the home")
            entry["parents"] = parents_of(spot)
        if stat.S_ISLNK(status.st_mode):
            return {"kind": "link", "target": os.readlink("", dir_fd=descriptor), **entry}
        entry["mode"] = f"{stat.S_IMODE(status.st_mode):04o}"
        if stat.S_ISDIR(status.st_mode):
            return {"kind": "folder", "whole": whole, **entry}
        if not stat.S_ISREG(status.st_mode):
            return _left_out("no file, link or folder")
        return {"kind": "file", **entry, **self._content(spot, descriptor, status)}

    def _content(self, spot: Spot, descriptor: int, status: os.stat_result) -> Entry:
        unread = {"size": status.st_size, "changed_ns": status.st_mtime_ns}
        why_not = self._why_not_read(spot, descriptor, status)
        if why_not is not None:
            return {**unread, "reason": why_not}
        with _reopened(descriptor) as readable, os.fdopen(readable, "rb", closefd=False) as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            return {**unread, "reason": TOO_LARGE}
        known = {"sha256": hashlib.sha256(data).hexdigest(), "modified_ns": status.st_mtime_ns}
        if not self._contents:
            return known
        if not self._has_room(spot, len(data)):
            return {**known, "reason": f"{TOO_LARGE} with all the others"}
        return {**known, "content": base64.b64encode(data).decode()}

    def _why_not_read(self, spot: Spot, descriptor: int, status: os.stat_result) -> str | None:
        mount = mount_of(descriptor)
        reason = None if mount is None else self._mounts.why_not_read(mount, made_up=False)
        if reason is None and is_foreign(spot) and status.st_nlink > 1:
            reason = "has further names, so no copy was made"
        if reason is None and BACKUP in spot.name:
            reason = "a backup itself, so no copy was made"
        if reason is None and status.st_size > _LARGEST:
            reason = TOO_LARGE
        return reason

    def _has_room(self, spot: Spot, size: int) -> bool:
        """Take room for a content if there is any left; no user takes that of others."""
        room = self._room
        if spot.owner is not None and is_foreign(spot):
            room = min(room, self._rooms.setdefault(spot.owner.uid, _OF_A_USER))
        if size > room:
            return False
        self._room -= size
        if spot.owner is not None and is_foreign(spot):
            self._rooms[spot.owner.uid] -= size
        return True


def is_foreign(spot: Spot) -> bool:
    """Return whether a folder is in the home of another user than runs this."""
    return spot.owner is not None and spot.owner.uid != os.getuid()


def parents_of(spot: Spot) -> list[list[int]]:
    """Return owner, device and inode of the folders on the way that are the home's owner's."""
    owner = None if spot.owner is None else spot.owner.uid
    return [list(parent) for parent in spot.parents if parent.uid == owner]


def read_entries(places: Iterable[Place], *, contents: bool) -> Entries:
    """Return path to entry of everything that exists at some places.

    Args:
        places: to look at.
        contents: whether entries of files hold their content, too.
    """
    recorder = Recorder(contents=contents)
    for place in places:
        recorder.add(place)
    return recorder.entries


def same(one: Optional[Entry], other: Optional[Entry]) -> bool:  # noqa: UP045 - Python 3.8
    """Return whether two entries are the same thing; times and copies of content do not count."""
    if one is None or other is None:
        return one is other
    return _identity(one) == _identity(other)


def without_contents(entries: Entries) -> Entries:
    """Return entries that can be compared but not restored."""
    return {
        path: {name: value for name, value in entry.items() if name != "content"}
        for path, entry in entries.items()
    }


def _left_out(reason: str) -> Entry:
    """Return an entry of what is there and is none of a run's doing; it is never changed."""
    return {"kind": "left out", "reason": reason}


def names_in(spot: Spot) -> list[str]:
    """Return sorted names in a folder, of more than there should be the first ones found."""
    with spot.rights():
        flags = _READ | os.O_DIRECTORY | os.O_NOFOLLOW
        descriptor = os.open(spot.name, flags, dir_fd=spot.descriptor)
        try:
            with os.scandir(descriptor) as entries:
                return sorted(entry.name for entry, _ in zip(entries, range(_MOST_NAMES)))
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _reopened(pointer: int) -> Iterator[int]:
    """Yield a descriptor that reads what another one points at, whatever its name leads to now."""
    descriptor = os.open(f"/proc/self/fd/{pointer}", _READ)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _identity(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name not in _BESIDE}
