"""The way along a path into somebody's home, one name at a time.

Each folder on the way is held by a descriptor, and its owner is looked at. From the first folder
or file that is not root's on, a home begins: everything in it is done with its owner's rights.

Refused, with a reason in `RefusedError`, are

- what belongs to a third party, neither root nor the owner of the home;
- a folder that everybody may write to and that is not sticky;
- links, except root's in folders that root alone can write to, and, for reading, links in a home
  that stay in it and lead to what belongs to its owner;
- file systems that the kernel makes up and those of users' own programs, below a home or where a
  user's file names the path.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, NamedTuple

from .mounts import Mounts, mount_of
from .rights import Owner, RefusedError, acting_as, is_somebody

_MOST_LINKS = 40  # as the Linux kernel follows at most
_LONGEST = 4096  # as PATH_MAX
_POINT = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Identity(NamedTuple):
    """What tells a file or folder from another that has taken its place."""

    uid: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        """Return the identity of what has this status."""
        return cls(status.st_uid, status.st_dev, status.st_ino)


class Step(NamedTuple):
    """One folder on the way, or what is at its end.

    Attributes:
        name: in the folder before.
        descriptor: that points at it.
        status: of it.
        owner: whose home it is or lies in; None outside of homes.
        mount: its number where it matters.
    """

    name: str
    descriptor: int
    status: os.stat_result
    owner: Owner | None
    mount: int | None

    def target(self) -> str:
        """Return what a link holds."""
        return os.readlink("", dir_fd=self.descriptor)


class Walk:
    """The way along one path.

    Attributes:
        steps: the folders that are held, the root folder first.
    """

    def __init__(self, root: int, mounts: Mounts, path: str, named_by: Owner | None = None) -> None:
        """Begin at the root folder.

        Args:
            root: descriptor of the root folder.
            mounts: of this process.
            path: for messages.
            named_by: who owns the file that names the path.
        """
        self.steps: list[Step] = []
        self._mounts = mounts
        self._path = path
        self._rights = named_by if named_by is not None and named_by.uid != 0 else None
        self._real_only = named_by is not None
        self._home: Identity | None = None
        self._only_owners = False
        self._links = 0
        self.steps.append(self._step(".", root))

    @property
    def last(self) -> Step:
        """Where the walk has got to."""
        return self.steps[-1]

    @property
    def owner(self) -> Owner | None:
        """With whose rights it goes on; None for those of this process."""
        return self._rights or (self.steps[-1].owner if self.steps else None)

    def close(self) -> None:
        """Let go of all folders."""
        self.back_to(0)

    def go(self, path: str, *, follow: bool = True, links_in_homes: bool = True) -> None:
        """Go along a path from the root folder.

        Args:
            path: with or without a slash at its beginning.
            follow: whether a link at its end is followed.
            links_in_homes: whether links in homes are.

        Raises:
            RefusedError: see above.
            OSError: missing, or not permitted.
        """
        pending = self._parts(path)
        while pending:
            name = pending.pop()
            if name == "..":
                self.back_to(max(1, len(self.steps) - 1))
                continue
            self._go_to(name)
            if stat.S_ISLNK(self.last.status.st_mode) and (follow or pending):
                target = self._followed(links_in_homes)
                self.back_to(1 if target.startswith("/") else len(self.steps) - 1)
                pending.extend(self._parts(target))
        self._check_links()

    def descend(self, path: str) -> None:
        """Go on into folders below; links and ``..`` lead nowhere.

        Raises:
            RefusedError: see above.
            OSError: missing, or not permitted.
        """
        for name in reversed(self._parts(path)):
            if name == "..":
                raise RefusedError("leads out of its folder", self._path)
            self._go_to(name)

    def back_to(self, count: int) -> None:
        """Let go of all folders but the first ``count``."""
        while len(self.steps) > count:
            os.close(self.steps.pop().descriptor)

    @contextlib.contextmanager
    def one_more(self, name: str) -> Iterator[None]:
        """Go to what a name in the last folder leads to, a link itself where it is one, and back.

        Raises:
            RefusedError: it belongs to a third party.
            OSError: missing, or not permitted.
        """
        depth = len(self.steps)
        self._go_to(name)
        try:
            yield
        finally:
            self.back_to(depth)

    def _go_to(self, name: str) -> None:
        self.steps.append(self._step(name, self.last.descriptor))

    def _step(self, name: str, folder: int) -> Step:
        try:
            with acting_as(self.owner):
                descriptor = _pointer(name, folder)
        except OSError as error:
            error.filename = self._path
            raise
        try:
            return self._checked(name, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def _checked(self, name: str, descriptor: int) -> Step:
        before = self.steps[-1] if self.steps else None
        home = before.owner if before else None
        inside = home is not None or self._real_only
        mount = None
        if inside or self._mounts.of_users:
            # Before it is asked for anything: a user's own file system need not answer.
            mount = mount_of(descriptor)
            self._check_mount(mount, before, inside)
        status = os.fstat(descriptor)
        if is_somebody(status.st_uid):
            owner = home or Owner.of(status)
            if {status.st_uid, (self._rights or owner).uid} != {owner.uid}:
                raise RefusedError(
                    f"belongs to user {status.st_uid}, neither root nor the home's owner",
                    self._path,
                )
            home = owner
        if _is_open_to_all(status):
            raise RefusedError("in a folder that everybody may write to", self._path)
        if home and mount is None:
            mount = mount_of(descriptor)
        return Step(name, descriptor, status, home, mount)

    def _check_mount(self, mount: int | None, before: Step | None, inside: bool) -> None:
        if before is None or mount is None or mount == before.mount:
            return
        reason = self._mounts.why_not_read(mount, made_up=not inside)
        if reason is not None:
            raise RefusedError(reason, self._path)

    def _followed(self, links_in_homes: bool) -> str:
        """Return what the last step, a link, holds."""
        self._links += 1
        if self._links > _MOST_LINKS:
            raise RefusedError("too many levels of symbolic links", self._path)
        folder, link = self.steps[-2:]
        if folder.owner is None:
            if link.owner is not None:
                raise RefusedError("a link of somebody who is not root", self._path)
            if _others_write(folder.status):
                raise RefusedError("a link in a folder that others may write to", self._path)
        elif not links_in_homes:
            raise RefusedError("a link in a home", self._path)
        else:
            self._stay(folder.owner)
            self._only_owners |= link.status.st_uid == folder.owner.uid
        return link.target()

    def _check_links(self) -> None:
        """Refuse where links in a home have led out of it, or to what is not its owner's."""
        if self._home is None or self._rights is None:
            return
        if self._home not in (Identity.of(step.status) for step in self.steps):
            raise RefusedError("a link leads out of the home", self._path)
        if self._only_owners and self.last.status.st_uid != self._rights.uid:
            raise RefusedError("a link leads to what is not its owner's", self._path)

    def _stay(self, owner: Owner) -> None:
        """From a link in a home on, take its owner's rights, and note which home it was."""
        self._rights = owner
        if self._home is None:
            home = next(step for step in self.steps if step.owner is not None)
            self._home = Identity.of(home.status)

    def _parts(self, path: str) -> list[str]:
        """Return names of a path, the last one first."""
        if "\0" in path:
            raise RefusedError("not a path", self._path)
        if len(path) > _LONGEST:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), self._path)
        return [name for name in path.split("/") if name not in ("", ".")][::-1]


def _pointer(name: str, folder: int) -> int:
    """Return a descriptor that only points at what a name leads to: no device or pipe notices."""
    try:
        # Only where a folder is asked for the kernel mounts one on demand.
        return os.open(name, _POINT | os.O_DIRECTORY, dir_fd=folder)
    except NotADirectoryError:
        return os.open(name, _POINT, dir_fd=folder)


def _is_open_to_all(status: os.stat_result) -> bool:
    mode = status.st_mode
    return stat.S_ISDIR(mode) and bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _others_write(status: os.stat_result) -> bool:
    """Return whether anybody but root can put something into a folder of root's."""
    of_group = status.st_gid != 0 and status.st_mode & stat.S_IWGRP
    return bool(of_group or status.st_mode & stat.S_IWOTH)
