"""What an environment holds, and whether someone changed it by hand.

An environment may lie in a home. So nothing in it is taken for what this project wrote there.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
import stat
from pathlib import Path
from posixpath import normpath
from typing import Any, Iterable, Iterator, NamedTuple

from ..printable import printable
from ..rootfs import MissingError, RootFs, UnreadableError
from ..whole_file import write_whole
from .execstack import HEAD_SIZE, wants_executable_stack

# Written last: an environment without it was never finished.
_MARKER = "rdna1-environment.json"
_PYTHON = re.compile(r"python3(\.\d+)?")
_DISTRIBUTION = re.compile(r"(?P<name>[\w.-]+)-(?P<version>[\w.+!]+)\.dist-info", re.ASCII)
_SIZE = re.compile(r"\d{1,18}", re.ASCII)
# Several times what PyTorch's, the largest, comes to.
_LARGEST_RECORD = 8 * 1024 * 1024
_MOST_FILES = 200_000
_MOST_PACKAGES = 2000
_LONGEST = 200


class Difference(NamedTuple):
    """A package that is not as it was installed."""

    package: str
    text: str


def packages(rootfs: RootFs, environment: str) -> dict[str, str]:
    """Return normalised name to version of what is installed in the environment itself.

    Raises:
        UnreadableError: a folder cannot be read.
    """
    return {name: version for _, name, version in _distributions(rootfs, environment)}


def differences(
    rootfs: RootFs, environment: str, installed: dict[str, str], cleared: Iterable[str] = ()
) -> list[Difference]:
    """Return how an environment differs from ``installed`` and from the lists of its own files.

    Sizes are compared, not contents: that takes a fraction of a second for PyTorch's ten thousand
    files, and finds what was removed, replaced or edited but for an edit of equal length.

    Args:
        rootfs: of the machine.
        environment: its folder.
        installed: normalised name to version of each package.
        cleared: paths of the libraries whose flag for an executable stack was cleared; one that
            was installed again has it again.

    Raises:
        UnreadableError: a folder cannot be read.
    """
    distributions = _distributions(rootfs, environment)
    now = {name: version for _, name, version in distributions}
    found = [
        Difference(name, f"{name} is {now.get(name, 'missing')}, it was {version}")
        for name, version in sorted(installed.items())
        if now.get(name) != version
    ]
    found += [
        Difference(name, f"{name} was added") for name in sorted(now) if name not in installed
    ]
    for folder, name, _ in distributions:
        text = _altered(rootfs, environment, folder)
        if text:
            found.append(Difference(name, f"{name}: {text}"))
    found += [
        Difference("", printable(f"{path} wants an executable stack again"))
        for path in sorted(cleared)
        if _wants_executable_stack(rootfs, f"{environment}/{path}")
    ]
    return found


def finish(
    environment: Path, identity: str, installed: dict[str, str], cleared: dict[str, str]
) -> None:
    """Mark an environment as complete, once all of it is on the disk: a power loss cuts files.

    Args:
        environment: its folder.
        identity: see `Spec.identity`.
        installed: normalised name to version of each package.
        cleared: see `execstack.clear_executable_stacks`.
    """
    os.sync()
    content = {"identity": identity, "packages": installed, "cleared": cleared}
    text = json.dumps(content, indent=2) + "\n"
    write_whole(environment / _MARKER, text.encode(), 0o644)


def marker(rootfs: RootFs, environment: str) -> dict[str, Any]:
    """Return ``identity``, ``packages`` and ``cleared`` of a complete environment, see `finish`.

    Nothing of any other folder.

    Raises:
        UnreadableError: it cannot be read, or does not hold what `finish` writes.
    """
    path = f"{environment}/{_MARKER}"
    text = rootfs.optional_text(path)
    if text is None:
        return {}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    found = content if isinstance(content, dict) else {}
    identity, installed = found.get("identity"), found.get("packages")
    # Environments of earlier releases have none.
    cleared = found.get("cleared", {})
    if not _is_short(identity) or not all(map(_are_words, (installed, cleared))):
        raise UnreadableError(printable(f"{path}: not the mark of a finished environment"))
    return {"identity": identity, "packages": installed, "cleared": cleared}


def python_version(rootfs: RootFs, environment: str) -> str:
    """Return version of its Python, as pyvenv.cfg has it; empty where it has none.

    Raises:
        UnreadableError: the file cannot be read.
    """
    text = rootfs.optional_text(f"{environment}/pyvenv.cfg") or ""
    match = re.search(rf"^version(?:_info)?[ \t]*=[ \t]*(\S{{1,{_LONGEST}}})", text, re.MULTILINE)
    return match[1] if match else ""


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST and value.isprintable()


def _are_words(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= _MOST_PACKAGES
        and all(_is_short(word) for item in value.items() for word in item)
    )


def _wants_executable_stack(rootfs: RootFs, path: str) -> bool:
    # That it is missing is found by the list of its package.
    try:
        return wants_executable_stack(rootfs.head(path, HEAD_SIZE))
    except MissingError:
        return False


def _distributions(rootfs: RootFs, environment: str) -> list[tuple[str, str, str]]:
    """Return folder in the environment, normalised name and version of each package."""
    found = [
        (f"{folder}/{entry}", re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"])
        for python in rootfs.optional_names(f"{environment}/lib")
        if _PYTHON.fullmatch(python)
        for folder in [f"lib/{python}/site-packages"]
        for entry in rootfs.optional_names(f"{environment}/{folder}")
        for match in [_DISTRIBUTION.fullmatch(entry)]
        if match
    ]
    if len(found) > _MOST_PACKAGES:
        raise UnreadableError(printable(f"{environment}: more than {_MOST_PACKAGES} packages"))
    return found


def _altered(rootfs: RootFs, environment: str, distribution: str) -> str | None:
    """Return the first file of a package that is missing or of another size, in words."""
    try:
        text = rootfs.text(f"{environment}/{distribution}/RECORD", _LARGEST_RECORD)
        rows = list(itertools.islice(_rows(text), _MOST_FILES))
    except MissingError:
        return "RECORD: No such file or directory"
    except UnreadableError as error:
        return f"RECORD: {str(error).rpartition(': ')[2]}"
    except csv.Error as error:
        return f"RECORD: {error}"
    site = distribution.rpartition("/")[0]
    paths = [normpath(f"{site}/{path}") for path, _ in rows]
    for (path, size), status in zip(rows, rootfs.statuses(environment, paths)):
        if not _SIZE.fullmatch(size):
            return printable(f"RECORD: the size of {path} is not a number")
        if status is None or not stat.S_ISREG(status.st_mode) or status.st_size != int(size):
            return printable(f"{path} is missing or was altered")
    return None


def _rows(text: str) -> Iterator[tuple[str, str]]:
    """Yield path and size of the files whose size is listed, compiled ones left out."""
    for row in csv.reader(io.StringIO(text, newline="")):
        if len(row) == 3 and row[2] and not row[0].endswith(".pyc"):
            yield row[0], row[2]
