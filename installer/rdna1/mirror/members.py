"""The members of a mirror, folder or tar: regular files, and nothing else."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from rdna1.mirror.manifest import MirrorError

_COLLECT = "Remedy: copy the mirror again, or collect it again with playbooks/mirror.yml"
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)


class Member(NamedTuple):
    """A file of a mirror: its size, and what opens it."""

    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def opened(path: Path) -> Iterator[dict[str, Member]]:
    """Give the members of a mirror by their names, as long as it is open.

    Raises:
        MirrorError: it cannot be read, or has a member that is not a regular file or there twice.
    """
    with ExitStack() as stack:
        try:
            pairs = list(_of_folder(path) if path.is_dir() else _of_tar(path, stack))
        except (OSError, EOFError, tarfile.TarError, ValueError) as error:
            raise MirrorError(f"{path}: cannot be read as a mirror: {error}. {_COLLECT}") from error
        members: dict[str, Member] = {}
        for name, member in pairs:
            if member is None:
                raise MirrorError(f"{path}: {name!r} is not a regular file. {_COLLECT}")
            if name in members:
                raise MirrorError(f"{path}: {name!r} is there twice. {_COLLECT}")
            members[name] = member
        yield members


def _of_folder(path: Path) -> Iterator[tuple[str, Member | None]]:
    """Yield the files below a folder; None for links, devices and the like."""

    def fail(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(path, onerror=fail):
        for name in sorted([*files, *folders]):
            file = Path(place, name)
            kind = file.lstat()
            if stat.S_ISREG(kind.st_mode):
                yield str(file.relative_to(path)), Member(kind.st_size, _opener(file))
            elif not stat.S_ISDIR(kind.st_mode):
                yield str(file.relative_to(path)), None


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    def open_file() -> IO[bytes]:
        """Open the file itself: neither what a link names nor a pipe that nobody writes to."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags), "rb")

    return open_file


def _of_tar(path: Path, stack: ExitStack) -> Iterator[tuple[str, Member | None]]:
    """Yield the members of a tar; one that is packed would tell its size too late."""
    tar = stack.enter_context(tarfile.open(path, "r:"))  # noqa: SIM115 (it is on the stack)
    for entry in tar:
        regular = entry.type in _REGULAR and not entry.issparse()
        yield entry.name, Member(entry.size, _extractor(tar, entry)) if regular else None


def _extractor(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def extract() -> IO[bytes]:
        file = tar.extractfile(entry)
        if file is None:  # never: it is a regular file
            raise tarfile.ReadError(f"{entry.name!r} is not a file")
        return file

    return extract
