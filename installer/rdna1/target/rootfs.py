"""Reads files below a root folder, never outside it, and never with more rights than are right."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Callable, Iterable, TypeVar

from .budget import Budget, SpentError
from .homes import Found, Tree
from .printable import printable
from .rights import Owner

TEXT_LIMIT = 1024 * 1024
_MOST_NAMES, _MOST_NAMES_IN_HOME = 1_000_000, 2000

T = TypeVar("T")


class UnreadableError(Exception):
    """Something that could not be read; the message names the path and the reason."""


class MissingError(UnreadableError):
    """The path does not exist."""


class ExhaustedError(UnreadableError):
    """No more of one user's files is looked at.

    Attributes:
        uid: of the user.
    """

    def __init__(self, uid: int, reason: str) -> None:
        """Say whose files, and why."""
        super().__init__(reason)
        self.uid = uid


class RootFs:
    """Reads the files of one machine.

    All paths are absolute paths of that machine. Under another root than ``/`` symbolic
    links are resolved inside the root, absolute ones included. In homes everything is done with
    the rights of their owners, see `rdna1.target.walk`; there a reason stands for what is
    refused.

    Attributes:
        root: the root folder, resolved.
        live: whether the root is that of the running machine.
    """

    def __init__(self, root: str = "/") -> None:
        """Read below ``root``.

        Raises:
            OSError: there is no such folder.
        """
        self._tree = Tree(root)
        self.root = self._tree.root
        self.live = self.root == "/"
        self._budgets: dict[int, Budget] = {}

    def text(self, path: str, limit: int = TEXT_LIMIT, named_by: Owner | None = None) -> str:
        """Return content of a regular file; undecodable bytes become U+FFFD.

        Args:
            path: of the file.
            limit: the most bytes that are read.
            named_by: owner of the file that names the path, see `owner`; None where no file does.

        Raises:
            UnreadableError: missing, not permitted, no regular file, or larger than ``limit``.
        """
        return self.data(path, limit, named_by).decode("utf-8", "replace")

    def data(self, path: str, limit: int = TEXT_LIMIT, named_by: Owner | None = None) -> bytes:
        """As `text`, but the bytes as they are.

        Raises:
            UnreadableError: missing, not permitted, no regular file, or larger than ``limit``.
        """

        def content(found: Found, budget: Budget | None) -> bytes:
            data = found.read(limit)
            if budget:
                budget.take(len(data), limit)
            return data

        return self._ask(path, content, named_by)

    def head(self, path: str, size: int) -> bytes:
        """Return the first bytes of a regular file, at most ``size``.

        Raises:
            UnreadableError: missing, not permitted, or no regular file.
        """

        def start(found: Found, budget: Budget | None) -> bytes:
            data = found.head(size)
            if budget:
                budget.take(len(data), size)
            return data

        return self._ask(path, start)

    def optional_text(self, path: str, named_by: Owner | None = None) -> str | None:
        """As `text`, but None when the file does not exist.

        Raises:
            UnreadableError: the file exists and cannot be read.
        """
        try:
            return self.text(path, named_by=named_by)
        except MissingError:
            return None

    def names(self, path: str, named_by: Owner | None = None) -> list[str]:
        """Return sorted names in a folder.

        Raises:
            UnreadableError: missing, not permitted, no folder, or too many.
        """
        return self._ask(path, _names, named_by)

    def optional_names(self, path: str, named_by: Owner | None = None) -> list[str]:
        """As `names`, but none when the folder does not exist.

        Raises:
            UnreadableError: the folder exists and cannot be read.
        """
        try:
            return self.names(path, named_by)
        except MissingError:
            return []

    def status(self, path: str) -> os.stat_result:
        """Return status of what ``path`` leads to.

        Raises:
            UnreadableError: missing or not permitted.
        """
        return self._ask(path, lambda found, _: found.status)

    def statuses(self, folder: str, paths: Iterable[str]) -> list[os.stat_result | None]:
        """Return status of each path below a folder, see `rdna1.target.homes.Found.statuses`.

        Raises:
            UnreadableError: the folder is missing or not permitted.
        """

        def compared(found: Found, budget: Budget | None) -> list[os.stat_result | None]:
            listed = list(paths)
            if budget:
                budget.compare(len(listed))
            return found.statuses(listed)

        return self._ask(folder, compared)

    def space(self, path: str) -> os.statvfs_result:
        """Return room on the file system that ``path`` leads to.

        Raises:
            UnreadableError: missing or not permitted.
        """
        return self._ask(path, lambda found, _: found.space())

    def locate(self, path: str) -> Path:
        """Return where a file of the machine is here, all links resolved.

        Raises:
            UnreadableError: missing or not permitted.
        """
        return Path(self._ask(path, lambda found, _: found.location()))

    def owner(self, path: str) -> Owner:
        """Whoever may change a file: the owner of the home that it is in, elsewhere its owner.

        Raises:
            UnreadableError: missing or not permitted.
        """
        return self._ask(path, lambda found, _: found.owner or Owner.of(found.status))

    def exists(self, path: str) -> bool:
        """Return whether ``path`` leads to anything.

        Raises:
            UnreadableError: a folder on the way must not be entered.
        """
        try:
            self.status(path)
        except MissingError:
            return False
        return True

    def enter(self, path: str) -> bool:
        """Return whether the folder exists.

        Raises:
            UnreadableError: it exists and must not be entered.
        """
        try:
            self._ask(path, lambda found, _: found.enter())
        except MissingError:
            return False
        return True

    def link_name(self, path: str) -> str | None:
        """Return the last part of a symbolic link's target, or None when ``path`` is not a link.

        Raises:
            UnreadableError: a link on the way goes in a circle.
        """
        target = self.link_target(path)
        return None if target is None else target.rpartition("/")[2]

    def link_target(self, path: str) -> str | None:
        """Return what a symbolic link holds, or None when ``path`` is not a link.

        Raises:
            UnreadableError: a folder on the way must not be entered.
        """
        try:
            return self._ask(path, _target, follow=False)
        except MissingError:
            return None

    def _ask(
        self,
        path: str,
        question: Callable[[Found, Budget | None], T],
        named_by: Owner | None = None,
        *,
        follow: bool = True,
    ) -> T:
        """Say what a question about a path gives; in a home it is told what may still be read."""
        budget: Budget | None = None
        try:
            with self._tree.walk(path, named_by) as walk:
                try:
                    walk.go(path, follow=follow)
                finally:
                    budget = self._budget(walk.owner)
                return question(Found(path, walk), budget)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingError(_message(path, error)) from error
        except OSError as error:
            if budget is not None:
                budget.fail()
            raise UnreadableError(_message(path, error)) from error
        except SpentError as error:
            raise ExhaustedError(error.uid, str(error)) from error

    def _budget(self, owner: Owner | None) -> Budget | None:
        """Return what may still be read for the owner of a home, one look less."""
        if owner is None:
            return None
        budget = self._budgets.setdefault(owner.uid, Budget(owner.uid))
        budget.look()
        return budget


def _target(found: Found, _: Budget | None) -> str | None:
    return found.target() if stat.S_ISLNK(found.status.st_mode) else None


def _names(found: Found, budget: Budget | None) -> list[str]:
    names = found.names(_MOST_NAMES_IN_HOME if budget else _MOST_NAMES)
    if budget:
        budget.look(len(names))
    return names


def _message(path: str, error: OSError) -> str:
    return printable(f"{path}: {error.strerror or error}")
