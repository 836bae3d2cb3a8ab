"""Take the wheel that a build made, which is not trusted to have made one."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from email.parser import HeaderParser
from pathlib import Path

from ..printable import printable
from ..whole_file import whole_file
from .spec import entry_name

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 512 * 1024 * 1024
_LARGEST_METADATA = 1024 * 1024
_PIECE = 1024 * 1024
_COMPRESSED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NAME = re.compile(r"(?P<name>\w[\w.]*)-(?P<version>[\w.+!]+)(-\d\w*)?(-[\w.]+){3}\.whl", re.ASCII)
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
# What a Python of the environment would run without being asked to, root's as well.
_RUN_UNASKED = re.compile(r"(?:.*/)?(?:[^/]+\.pth|(?:site|user)customize(?:\.py|/.*))")


class BuiltWheelError(Exception):
    """What was built is not the wheel that was asked for; the message says what it is."""


def take_wheel(folder: Path, owner: int, name: str, version: str, place: Path) -> Path:
    """Copy the one wheel of a folder, and check that it is what it should be.

    Args:
        folder: that others wrote; those above it are this process's own.
        owner: user id of whoever wrote it.
        name: normalised, of the distribution.
        version: of it.
        place: folder of this process's own for the copy.

    Returns:
        The copy.

    Raises:
        BuiltWheelError: there is no such wheel, or more, or a link in the place of it.
        OSError: it cannot be read or written.
    """
    descriptor = _opened(folder.name, _FOLDER, os.open(folder.parent, _FOLDER))
    try:
        names = os.listdir(descriptor)  # noqa: PTH208 - what the folder is that was opened
        if len(names) != 1:
            raise BuiltWheelError(f"the build made {len(names)} files in place of one wheel")
        match = _NAME.fullmatch(names[0])
        if not match or (entry_name(match["name"]), match["version"]) != (name, version):
            raise BuiltWheelError(
                f"the build made {printable(names[0])} in place of a wheel of {name} {version}"
            )
        copy = place / names[0]
        _copy(names[0], os.dup(descriptor), owner, copy)
    finally:
        os.close(descriptor)
    _check(copy, name, version)
    return copy


def _opened(name: str, flags: int, folder: int) -> int:
    """Open what is in a folder, and let go of the folder.

    Raises:
        BuiltWheelError: it is a link, or not what it should be.
    """
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise BuiltWheelError(f"{name} of the build cannot be opened: {error.strerror}") from error
    finally:
        os.close(folder)


def _copy(name: str, folder: int, owner: int, copy: Path) -> None:
    descriptor = _opened(name, _FILE, folder)
    status = os.fstat(descriptor)
    # Another name of it would be of a file that the build did not make.
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != owner:
        os.close(descriptor)
        raise BuiltWheelError(f"{name} of the build is not a file of its own")
    with os.fdopen(descriptor, "rb") as source, whole_file(copy, 0o644) as file:
        left = _LARGEST
        while True:
            piece = source.read(_PIECE)
            if not piece:
                return
            left -= len(piece)
            if left < 0:
                raise BuiltWheelError(f"{name} of the build is larger than {_LARGEST} bytes")
            file.write(piece)


def _check(wheel: Path, name: str, version: str) -> None:
    """Compare what a wheel says of itself.

    Raises:
        BuiltWheelError: it is another distribution, or damaged.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.namelist()
            (described,) = filter(_METADATA.fullmatch, members)
            entry = archive.getinfo(described)
            if entry.file_size > _LARGEST_METADATA or entry.compress_type not in _COMPRESSED:
                raise ValueError(described)
            text = archive.read(described).decode(errors="replace")
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise BuiltWheelError(f"the build made {wheel.name}, which is not a wheel") from error
    headers = HeaderParser().parsestr(text)
    told = (entry_name(headers.get("Name", "")), headers.get("Version", ""))
    if told != (name, version):
        raise BuiltWheelError(
            f"the build made a wheel of {printable(' '.join(told))} in place of {name} {version}"
        )
    unasked = next(filter(_RUN_UNASKED.fullmatch, members), None)
    if unasked:
        raise BuiltWheelError(
            f"the build made a wheel with {printable(unasked)}, which every Python would run"
        )
