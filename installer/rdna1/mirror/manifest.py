"""What a mirror says of itself."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import IO, Annotated, Final, Literal

import msgspec

MANIFEST: Final = "manifest.json"
_COLLECT: Final = "Remedy: collect it anew with playbooks/mirror.yml"
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class MirrorError(Exception):
    """A mirror cannot be made, read or used; the message names the file and the remedy."""


class MirrorFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a mirror.

    Attributes:
        path: from the mirror's folder.
        sha256: of its content, in hexadecimal digits.
        size: in bytes.
    """

    path: str
    sha256: Sha256
    size: Annotated[int, msgspec.Meta(ge=0)]

    def __post_init__(self) -> None:
        """Nothing outside of the mirror, and nothing that could end a line of a list."""
        path = PurePosixPath(self.path)
        if not self.path or path.is_absolute() or ".." in path.parts or not self.path.isprintable():
            raise ValueError(f"{self.path!r} is no path inside of a mirror")


class MirrorArchive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A suite of an apt archive, with the index as the archive signed it.

    Attributes:
        folder: of the archive in the mirror.
        suite: as in a source of apt; with a slash at its end it has no components.
        components: of the suite.
        key: keyring in the mirror; empty for those that the machine trusts for all sources.
    """

    folder: str
    suite: str
    components: list[str]
    key: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a mirror holds, and what it is for.

    Attributes:
        schema_version: of this document.
        made_at: UTC.
        stack: its name.
        os: ``ID`` of os-release of the machines it is for.
        version: ``VERSION_ID`` of the same.
        architecture: as apt names it.
        rocm_source: where ROCm's packages come from.
        pytorch_source: where PyTorch comes from.
        packages: that apt was asked for; what these need is there as well.
        archives: of apt.
        files: all but this document.
    """

    schema_version: Literal[1] = 1
    made_at: str
    stack: str
    os: str
    version: str
    architecture: str
    rocm_source: str
    pytorch_source: str
    packages: list[str]
    archives: list[MirrorArchive]
    files: list[MirrorFile]


def decode(data: bytes, origin: str) -> Manifest:
    """Read a manifest.

    Raises:
        MirrorError: it is damaged, or of another version.
    """
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, ValueError) as error:
        raise MirrorError(f"{origin}: {MANIFEST}: {error}. {_COLLECT}") from error


def digest(file: IO[bytes]) -> str:
    """SHA-256 of what is left to read of a file."""
    found = hashlib.sha256()
    while block := file.read(1 << 20):
        found.update(block)
    return found.hexdigest()
