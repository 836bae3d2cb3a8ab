"""What a mirror says of itself.

Every field may come from somebody else: its form is such that it is safe in a path, in a list of
apt's sources and on a terminal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import IO, Annotated, Final, Literal

import msgspec

from rdna1.catalog.stacks import PytorchSource, RocmSource

MANIFEST: Final = "manifest.json"
# The signature of its owner, by gpg --detach-sign.
SIGNATURE: Final = "manifest.json.sig"
# AMD's key, which is held to its pinned fingerprint. All other keys are the machine's own.
AMD_KEY: Final = "keys/rocm.gpg"
_COLLECT: Final = "Remedy: collect it again with playbooks/mirror.yml"
# A dollar sign alone would let a line break follow.
_END: Final = r"$(?!\n)"


class MirrorError(Exception):
    """A mirror cannot be made, read or used; the message names the file and the remedy."""


def _text(pattern: str) -> msgspec.Meta:
    return msgspec.Meta(pattern=f"^{pattern}{_END}", max_length=400)


_PART: Final = "[A-Za-z0-9_][A-Za-z0-9_.+~:%=@!-]*"
_FOLDERS: Final = "(archives|keys|locks|wheels|python)"
Sha256 = Annotated[str, _text("[0-9a-f]{64}")]
_FILE: Final = re.compile(f"{_FOLDERS}(/{_PART})+")
ArchiveFolder = Annotated[str, _text("archives/[A-Za-z0-9][A-Za-z0-9.-]*")]
# With a slash at its end it is a folder, of which "./" is one.
Suite = Annotated[str, _text(rf"(\./|{_PART}(/{_PART})*/?)")]
Component = Annotated[str, _text(f"{_PART}(/{_PART})*")]
Key = Annotated[str, _text(rf"(keys/{_PART})?")]
Word = Annotated[str, _text("[a-z0-9][a-z0-9._-]*")]
Channel = Annotated[str, _text("([a-z0-9][a-z0-9._-]*)?")]
Package = Annotated[str, _text("[a-z0-9][a-z0-9.+-]*(:[a-z0-9-]+)?")]
Time = Annotated[str, _text("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")]


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
        """Refuse what is outside of the mirror, in none of its folders, or hidden."""
        if not _FILE.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is not a path inside of a mirror")


class MirrorArchive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A suite of an apt archive, with the index as the archive signed it.

    Attributes:
        folder: of the archive in the mirror.
        suite: as in a source of apt; with a slash at its end it has no components.
        components: of the suite.
        key: ``keys/rocm.gpg`` where AMD's signs it; of others the machine itself has the key.
    """

    folder: ArchiveFolder
    suite: Suite
    components: list[Component]
    key: Key


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
        pytorch_channel: of the stack's wheels, empty for its own choice.
        packages: that apt was asked for; what these need is there as well.
        archives: of apt.
        files: all but this document and its signature.
    """

    schema_version: Literal[1] = 1
    made_at: Time
    stack: Word
    os: Word
    version: Word
    architecture: Word
    rocm_source: RocmSource
    pytorch_source: PytorchSource
    # Mirrors of before have none.
    pytorch_channel: Channel = ""
    packages: list[Package]
    archives: list[MirrorArchive]
    files: list[MirrorFile]

    def __post_init__(self) -> None:
        """Refuse files that could not be there together, on any file system."""
        paths = [file.path.casefold() for file in self.files]
        if len({*paths}) != len(paths):
            raise ValueError("a file is named twice, or with other letter case only")
        folders = {path[:at] for path in paths for at in _slashes(path)}
        if folders & {*paths}:
            raise ValueError("a file is named that is a folder as well")


def _slashes(path: str) -> Sequence[int]:
    return [at for at, letter in enumerate(path) if letter == "/"]


def decode(data: bytes, origin: str) -> Manifest:
    """Return the manifest that a file holds.

    Raises:
        MirrorError: it is damaged, or of another version, or holds what none may hold.
    """
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MirrorError(f"{origin}: {MANIFEST}: {error}. {_COLLECT}") from error


def digest(file: IO[bytes]) -> str:
    """Return the SHA-256 of what is left to read of a file."""
    found = hashlib.sha256()
    while block := file.read(1 << 20):
        found.update(block)
    return found.hexdigest()
