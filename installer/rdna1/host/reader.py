"""Reads files below a root folder, never outside it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Iterator

TEXT_LIMIT = 1024 * 1024
_CHUNK = 64 * 1024
_MOST_LINKS = 40  # as the Linux kernel follows at most


class UnreadableError(Exception):
    """Something that could not be read; the message names the path and the reason."""


class MissingError(UnreadableError):
    """The path does not exist."""


class Reader:
    """Reads the files of one machine.

    All paths are absolute paths of that machine. Under another root than ``/`` symbolic
    links are resolved inside the root, absolute ones included.

    Attributes:
        root: the root folder, resolved.
        live: whether the root is that of the running machine.
    """

    def __init__(self, root: str = "/") -> None:
        """Read below ``root``, which must be a folder."""
        self.root = str(Path(root).resolve())
        self.live = self.root == "/"

    def locate(self, path: str) -> Path:
        """Where ``path`` of the machine is here, all links resolved inside the root.

        Raises:
            UnreadableError: no possible path, or links that go in a circle.
        """
        if "\0" in path:
            raise UnreadableError(f"{path!r}: not a path")
        if self.live:
            return Path(path)
        pending = path.split("/")[::-1]
        found: list[str] = []
        links = 0
        while pending:
            name = pending.pop()
            if name == "..":
                del found[-1:]
            elif name not in ("", "."):
                target = _link_target("/".join([self.root, *found, name]))
                if target is None:
                    found.append(name)
                    continue
                links += 1
                if links > _MOST_LINKS:
                    raise UnreadableError(f"{path}: too many levels of symbolic links")
                if target.startswith("/"):
                    found.clear()
                pending.extend(target.split("/")[::-1])
        return Path(self.root, *found)

    def text(self, path: str, limit: int = TEXT_LIMIT) -> str:
        """Content of a regular file; undecodable bytes become U+FFFD.

        Args:
            path: of the file.
            limit: the most bytes that are read.

        Raises:
            UnreadableError: missing, not permitted, no regular file, or larger than ``limit``.
        """
        return self.data(path, limit).decode("utf-8", "replace")

    def data(self, path: str, limit: int = TEXT_LIMIT) -> bytes:
        """As `text`, but the bytes as they are.

        Raises:
            UnreadableError: missing, not permitted, no regular file, or larger than ``limit``.
        """
        place = self.locate(path)
        try:
            # Without O_NONBLOCK a named pipe would wait for its writer for ever.
            descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise UnreadableError(f"{path}: not a regular file")
                data = b"".join(_chunks(stream, limit))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if len(data) > limit:
            raise UnreadableError(f"{path}: larger than {limit} bytes")
        return data

    def optional_text(self, path: str) -> str | None:
        """As `text`, but None when the file does not exist.

        Raises:
            UnreadableError: the file exists and cannot be read.
        """
        try:
            return self.text(path)
        except MissingError:
            return None

    def names(self, path: str) -> list[str]:
        """Sorted names in a folder.

        Raises:
            UnreadableError: missing, not permitted or no folder.
        """
        try:
            with os.scandir(self.locate(path)) as entries:
                return sorted(entry.name for entry in entries)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error

    def optional_names(self, path: str) -> list[str]:
        """As `names`, but none when the folder does not exist.

        Raises:
            UnreadableError: the folder exists and cannot be read.
        """
        try:
            return self.names(path)
        except MissingError:
            return []

    def status(self, path: str) -> os.stat_result:
        """Status of what ``path`` leads to.

        Raises:
            UnreadableError: missing or not permitted.
        """
        try:
            return self.locate(path).stat()
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error

    def exists(self, path: str) -> bool:
        """Whether ``path`` leads to anything.

        Raises:
            UnreadableError: a folder on the way must not be entered.
        """
        try:
            self.status(path)
        except MissingError:
            return False
        return True

    def enter(self, path: str) -> bool:
        """Whether the folder exists.

        Raises:
            UnreadableError: it exists and must not be entered.
        """
        if not self.exists(path):
            return False
        if not os.access(self.locate(path), os.X_OK):
            raise UnreadableError(f"{path}: {os.strerror(errno.EACCES)}")
        return True

    def link_name(self, path: str) -> str | None:
        """Last part of a symbolic link's target, or None when ``path`` is no link.

        Raises:
            UnreadableError: a link on the way goes in a circle.
        """
        target = self.link_target(path)
        return None if target is None else target.rpartition("/")[2]

    def link_target(self, path: str) -> str | None:
        """What a symbolic link holds, or None when ``path`` is no link.

        Raises:
            UnreadableError: a link on the way goes in a circle.
        """
        folder, _, name = path.rpartition("/")
        return _link_target(str(self.locate(folder or "/") / name))


def _chunks(stream: BinaryIO, limit: int) -> Iterator[bytes]:
    """Parts of a file until there are more bytes than ``limit``.

    One ``read`` would get memory for as many bytes as it is asked for, whatever the file holds.
    """
    count = 0
    for chunk in iter(lambda: stream.read(_CHUNK), b""):
        yield chunk
        count += len(chunk)
        if count > limit:
            return


def _link_target(place: str) -> str | None:
    try:
        return os.readlink(place)
    except (OSError, ValueError):
        return None


def _unreadable(path: str, error: Exception) -> UnreadableError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    kind = MissingError if isinstance(error, (FileNotFoundError, NotADirectoryError)) else None
    return (kind or UnreadableError)(f"{path}: {reason}")
