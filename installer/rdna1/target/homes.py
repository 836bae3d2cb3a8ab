"""The one way into a home: descriptor by descriptor, with its owner's rights.

A user may at any time replace whatever lies in a home by a link or a pipe, and a folder on the
way to it as well. So no path is opened by its name: see `rdna1.target.walk` for what is done, and
what is refused with a reason in `RefusedError`.

To read:

    with Tree().look("/home/ada/.profile") as found:
        data = found.read(limit=1024 * 1024)

To write, with the ``dir_fd`` arguments of `os`, which resolve no folder again:

    with Tree().folder("/home/ada/.profile") as place, place.rights():
        os.rename(draft, place.name, src_dir_fd=place.descriptor, dst_dir_fd=place.descriptor)
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import weakref
from typing import ContextManager, Iterable, Iterator

from .mounts import Mounts
from .rights import Owner, RefusedError, acting_as
from .walk import Identity, Walk

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK = 64 * 1024


class Found:
    """What a path leads to, held by a descriptor that cannot read or write it.

    Attributes:
        path: that was asked for.
        status: of the thing, as of a link itself where no link was to be followed.
        owner: with whose rights it is read, None for those of this process.
    """

    def __init__(self, path: str, walk: Walk) -> None:
        """Hold the last step of a walk, which `Tree` closes."""
        self.path = path
        self.status = walk.last.status
        self.owner = walk.owner
        self._walk = walk
        self._step = walk.last

    def read(self, limit: int) -> bytes:
        """Return the content of a regular file.

        Raises:
            RefusedError: it is another kind of thing, or larger than ``limit`` bytes.
            OSError: its owner must not read it.
        """
        if stat.S_ISDIR(self.status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.path)
        if not stat.S_ISREG(self.status.st_mode):
            raise RefusedError("not a regular file", self.path)
        with self.reopened(_READ) as descriptor:
            parts, count = [], 0
            # Memory for what is there, not for what is allowed.
            for chunk in iter(lambda: os.read(descriptor, _CHUNK), b""):
                parts.append(chunk)
                count += len(chunk)
                if count > limit:
                    raise RefusedError(f"larger than {limit} bytes", self.path)
        return b"".join(parts)

    def head(self, size: int) -> bytes:
        """Return the first bytes of a regular file, at most ``size``.

        Raises:
            RefusedError: it is another kind of thing.
            OSError: its owner must not read it.
        """
        if not stat.S_ISREG(self.status.st_mode):
            raise RefusedError("not a regular file", self.path)
        with self.reopened(_READ) as descriptor:
            return os.read(descriptor, size)

    def names(self, most: int) -> list[str]:
        """Return the sorted names in a folder.

        Raises:
            RefusedError: there are more than ``most``.
            OSError: it is not a folder, or its owner must not read it.
        """
        names: list[str] = []
        with self.reopened(_READ | os.O_DIRECTORY) as folder, os.scandir(folder) as entries:
            for entry in entries:
                if len(names) == most:
                    raise RefusedError(f"more than {most} names", self.path)
                names.append(entry.name)
        return sorted(names)

    def enter(self) -> None:
        """Make sure that a folder may be entered.

        Raises:
            OSError: it is not a folder, or its owner must not enter it.
        """
        with acting_as(self.owner):
            os.close(os.open("..", os.O_PATH | os.O_CLOEXEC, dir_fd=self._step.descriptor))

    def statuses(self, paths: Iterable[str]) -> list[os.stat_result | None]:
        """Return the status of each path below a folder, no link on the way or at its end followed.

        None stands for what is missing, not permitted or refused. It is quick where paths of one
        folder follow one another.

        Args:
            paths: relative to the folder; those that lead out of it count as missing.
        """
        found: list[os.stat_result | None] = []
        depth = len(self._walk.steps)
        at: str | None = ""
        with acting_as(self.owner):
            for path in paths:
                folder, _, name = path.rpartition("/")
                try:
                    if folder != at:
                        at = None
                        self._walk.back_to(depth)
                        self._walk.descend(folder)
                        at = folder
                    place = self._walk.last.descriptor
                    found.append(os.stat(name, dir_fd=place, follow_symlinks=False))
                except (OSError, ValueError):
                    found.append(None)
        self._walk.back_to(depth)
        return found

    def space(self) -> os.statvfs_result:
        """Return the room on the file system."""
        return os.statvfs(self._step.descriptor)

    def target(self) -> str:
        """Return what a link holds."""
        return self._step.target()

    def location(self) -> str:
        """Return where it is on this machine, with all links on the way resolved."""
        return os.readlink(f"/proc/self/fd/{self._step.descriptor}")

    @contextlib.contextmanager
    def reopened(self, flags: int) -> Iterator[int]:
        """Yield a descriptor of the very same thing that can read, or write, it.

        Args:
            flags: as of `os.open`. A regular file or folder opens at once; a pipe or a device
                must not be opened.

        Raises:
            RefusedError: there is something else now, which only a system without /proc finds.
            OSError: its owner must not open it.
        """
        place, folder = f"/proc/self/fd/{self._step.descriptor}", None
        if not os.path.lexists(place):
            is_folder = stat.S_ISDIR(self.status.st_mode)
            place = "." if is_folder else self._step.name
            folder = self._walk.steps[-1 if is_folder else -2].descriptor
            flags |= os.O_NOFOLLOW
        try:
            with acting_as(self.owner):
                descriptor = os.open(place, flags | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            error.filename = self.path
            raise
        try:
            if Identity.of(os.fstat(descriptor)) != Identity.of(self.status):
                raise RefusedError("changed meanwhile", self.path)
            yield descriptor
        finally:
            os.close(descriptor)


class Place:
    """A name in a folder; the folder is held, the name may lead to anything by now.

    Attributes:
        path: that was asked for.
        descriptor: of the folder, for the ``dir_fd`` arguments of `os`.
        name: the last part of the path.
        owner: whose home the folder is in; None where the rights of this process are right.
        parents: identities of all folders from the root folder to this one.
    """

    def __init__(self, path: str, walk: Walk) -> None:
        """Hold the folder that a walk got to, which `Tree` closes."""
        self.path = path
        self.descriptor = walk.last.descriptor
        self.name = path.rpartition("/")[2]
        self.owner = walk.owner
        self.parents = [Identity.of(step.status) for step in walk.steps]
        self._walk = walk

    def rights(self) -> ContextManager[None]:
        """Act with the rights of the owner, within a ``with`` statement."""
        return acting_as(self.owner)

    @contextlib.contextmanager
    def look(self) -> Iterator[Found]:
        """Yield what the name leads to now; a link itself where it is one.

        Raises:
            RefusedError: it belongs to a third party.
            OSError: missing, or not permitted.
        """
        with self._walk.one_more(self.name):
            yield Found(self.path, self._walk)


class Tree:
    """The files below a root folder.

    Attributes:
        root: the root folder, resolved.
    """

    def __init__(self, root: str = "/") -> None:
        """Hold the root folder.

        Raises:
            OSError: there is no such folder.
        """
        self.root = os.path.realpath(root)
        self._descriptor = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        self._mounts = Mounts()

    @contextlib.contextmanager
    def walk(self, path: str, named_by: Owner | None = None) -> Iterator[Walk]:
        """Yield the way along a path, not begun yet.

        Args:
            path: for messages.
            named_by: who owns the file that names the path: nothing is read with other rights,
                and only on real file systems.
        """
        with contextlib.closing(Walk(self._descriptor, self._mounts, path, named_by)) as walk:
            yield walk

    @contextlib.contextmanager
    def look(
        self, path: str, *, named_by: Owner | None = None, follow: bool = True
    ) -> Iterator[Found]:
        """Yield what a path leads to. It is not opened yet, whatever it is.

        Args:
            path: absolute, on the machine below the root folder.
            named_by: as for `walk`.
            follow: whether a link at the end of the path is followed.

        Raises:
            RefusedError: see `rdna1.target.walk`.
            OSError: missing, or not permitted.
        """
        with self.walk(path, named_by) as walk:
            walk.go(path, follow=follow)
            yield Found(path, walk)

    @contextlib.contextmanager
    def folder(self, path: str, *, expected: Identity | None = None) -> Iterator[Place]:
        """Yield the folder of a path, to change something in it.

        In a home no link is followed on the way. What the path itself leads to is not looked at.

        Args:
            path: absolute, on the machine below the root folder; its last part is a name.
            expected: what the folder must be.

        Raises:
            RefusedError: see `rdna1.target.walk`, or the folder is not the expected one.
            OSError: missing, or not permitted.
        """
        parent, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            raise RefusedError("no name at its end", path)
        with self.walk(path) as walk:
            walk.go(parent, links_in_homes=False)
            if not stat.S_ISDIR(walk.last.status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            if expected is not None and expected != Identity.of(walk.last.status):
                raise RefusedError("its folder is not the one that it was", path)
            yield Place(path, walk)
