"""The form of a lock file: versions and hashes, and nothing that names another place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rdna1.target.venvs.spec import entries, parts

# As uv writes it. An address, an option, a file to include or a variable would let in what has no
# hash in the file.
_ENTRY: Final = re.compile(
    r"(?P<requirement>[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._-]+(, ?[A-Za-z0-9._-]+)*\])?"
    r"==[A-Za-z0-9.!+_-]+)"
    r"(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})+)\n?"
)
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
_PRINTABLE: Final = re.compile(r"[\n\x20-\x7e]*")


class LockError(Exception):
    """A lock cannot be made, read or used; the message is what uv said, or holds the remedy."""


class LockedPackage(NamedTuple):
    """An entry of a lock: normalised name, version, and the hashes that its file may have."""

    name: str
    version: str
    sha256: frozenset[str]


class LockedParts(NamedTuple):
    """The entries of a lock: of an environment, and of what its source distributions need."""

    environment: list[LockedPackage]
    build: list[LockedPackage]


def locked(text: str) -> LockedParts:
    """Return the entries of a lock.

    Raises:
        LockError: there is something else in it than versions with hashes, and comments.
    """
    stack, project, build = map(_packages, parts(text))
    return LockedParts(_once([*stack, *project]), _once(build))


def _packages(text: str) -> list[LockedPackage]:
    if not _PRINTABLE.fullmatch(text):
        raise LockError("it holds characters that no lock has")
    lines = text.split("\n")
    comments = [line for line in lines if line.lstrip().startswith("#")]
    if any(line.endswith("\\") for line in comments):
        raise LockError("a comment goes on in the next line")
    plain = "".join(f"{line}\n" for line in lines if line not in comments)
    return [_package(entry) for entry in entries(plain)]


def _once(packages: Sequence[LockedPackage]) -> list[LockedPackage]:
    names = [package.name for package in packages]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise LockError(f"it has {twice} twice")
    return list(packages)


def _package(entry: str) -> LockedPackage:
    match = _ENTRY.fullmatch(entry.rstrip("\n"))
    try:
        requirement = Requirement(match["requirement"]) if match else None
    except InvalidRequirement:
        requirement = None
    if match is None or requirement is None:
        first = entry.partition("\n")[0]
        raise LockError(f"{first[:80]!r} is not a version with hashes")
    (specifier,) = requirement.specifier
    hashes = frozenset(_HASH.findall(match["hashes"]))
    return LockedPackage(canonicalize_name(requirement.name), specifier.version, hashes)
