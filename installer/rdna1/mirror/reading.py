"""Read a mirror, folder or tar, and make sure that it is what was collected."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rdna1.mirror.manifest import (
    MANIFEST,
    SIGNATURE,
    Manifest,
    MirrorError,
    MirrorFile,
    decode,
    digest,
)
from rdna1.mirror.members import Member, opened
from rdna1.mirror.signature import check_signature
from rdna1.mirror.writing import write_archive
from rdna1.target.exclusive_lock import exclusive_lock, lock_file

_COLLECT = "Remedy: copy the mirror again, or collect it again with playbooks/mirror.yml"
# What the controller itself reads.
_SMALL = ("keys/", "locks/")
# Far more than the manifests of all packages of a release would take.
_LARGEST_MANIFEST = 64 << 20
# In the cache: the path that a folder there is of.
_ORIGIN = "origin"


class Expected(NamedTuple):
    """What the owner of a machine asks of a mirror.

    Attributes:
        sha256: of its manifest; empty for any.
        keyring: file with the keys of which one has signed it; empty for none.
    """

    sha256: str = ""
    keyring: str = ""


class Mirror(NamedTuple):
    """A mirror that was checked.

    Attributes:
        archive: all of it as a tar.
        folder: with its keys and lock files.
        sha256: of its manifest.
        manifest: its description.
    """

    archive: Path
    folder: Path
    sha256: str
    manifest: Manifest


def check(path: Path, expected: Expected = Expected()) -> tuple[Manifest, str]:  # noqa: B008 (immutable)
    """Compare every file of a mirror with its manifest, and that with what its owner expects.

    Args:
        path: a folder, or a tar of one.
        expected: by the owner of the machines.

    Returns:
        The manifest and its hash.

    Raises:
        MirrorError: it is not a mirror, or another than expected, or a file is missing, another or
            not in the manifest.
    """
    with opened(path) as members:
        try:
            manifest, sha256 = _manifest(path, members, expected)
            _compare_names(path, members, manifest)
            for file in manifest.files:
                _compare(path, members[file.path], file)
        except (OSError, tarfile.TarError) as error:
            raise MirrorError(f"{path}: cannot be read as a mirror: {error}. {_COLLECT}") from error
    return manifest, sha256


def _manifest(
    path: Path, members: Mapping[str, Member], expected: Expected
) -> tuple[Manifest, str]:
    """Return the manifest and its hash; nothing is read of another than the expected one."""
    if MANIFEST not in members:
        raise MirrorError(f"{path}: is not a mirror, there is no {MANIFEST} in it. {_COLLECT}")
    data = _content(path, MANIFEST, members[MANIFEST], _LARGEST_MANIFEST)
    sha256 = hashlib.sha256(data).hexdigest()
    if expected.sha256 and sha256 != expected.sha256.lower():
        raise MirrorError(
            f"{path}: its manifest has the SHA-256 {sha256}, and offline_manifest_sha256 asks for "
            f"{expected.sha256!r}. Remedy: name the mirror with that manifest, or the hash that "
            "playbooks/mirror.yml showed when this one was collected"
        )
    if expected.keyring:
        signature = members.get(SIGNATURE)
        signed = _content(path, SIGNATURE, signature, _LARGEST_MANIFEST) if signature else b""
        check_signature(path, data, signed, Path(expected.keyring))
    return decode(data, str(path)), sha256


def _compare_names(path: Path, members: Mapping[str, Member], manifest: Manifest) -> None:
    named = {file.path for file in manifest.files}
    missing = [file.path for file in manifest.files if file.path not in members]
    if missing:
        raise MirrorError(f"{path}: {missing[0]} is missing. {_COLLECT}")
    surplus = sorted(members.keys() - named - {MANIFEST, SIGNATURE})
    if surplus:
        raise MirrorError(f"{path}: {surplus[0]!r} is not in the manifest. {_COLLECT}")


def _compare(path: Path, member: Member, file: MirrorFile) -> None:
    other = f"{path}: {file.path} is not what was collected"
    if member.size != file.size:
        raise MirrorError(f"{other}: {member.size} bytes instead of {file.size}. {_COLLECT}")
    with member.open() as content:
        sha256 = digest(content)
    if sha256 != file.sha256:
        raise MirrorError(f"{other}: {sha256} instead of {file.sha256}. {_COLLECT}")


def _content(path: Path, name: str, member: Member, limit: int) -> bytes:
    if member.size > limit:
        raise MirrorError(f"{path}: {name} has {member.size} bytes. {_COLLECT}")
    with member.open() as file:
        return file.read(limit)


def prepare(path: Path, cache: Path, expected: Expected = Expected()) -> Mirror:  # noqa: B008 (immutable)
    """Check a mirror and give it as a tar, and its small files as a folder.

    Args:
        path: a folder, or a tar of one.
        cache: folder for what has to be made of it. Each path has its own place there, as runs
            with different mirrors may be under way; what an older mirror at this path, or one
            that is gone, left there is removed.
        expected: by the owner of the machines.

    Raises:
        MirrorError: as from ``check``.
        ExclusiveLockError: another run prepares one and does not end.
    """
    manifest, sha256 = check(path, expected)
    cache.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(lock_file(cache)):
        place = _place(path.resolve(), cache) / sha256
        for other in place.parent.iterdir():
            if other.is_dir() and other != place:
                shutil.rmtree(other)
        archive = place / "mirror.tar" if path.is_dir() else path
        if not place.joinpath(MANIFEST).exists():
            place.mkdir(exist_ok=True)
            if path.is_dir():
                write_archive(path, manifest, archive)
            _unpack_small(archive, manifest, place)
    return Mirror(archive, place, sha256, manifest)


def _place(path: Path, cache: Path) -> Path:
    """Return the folder of a path in the cache, and remove those of paths that are gone."""
    place = cache / hashlib.sha256(str(path).encode()).hexdigest()[:12]
    place.mkdir(exist_ok=True)
    place.joinpath(_ORIGIN).write_text(str(path))
    for other in filter(Path.is_dir, cache.iterdir()):
        origin = other / _ORIGIN
        if not origin.exists() or not Path(origin.read_text()).exists():
            shutil.rmtree(other)
    return place


def _unpack_small(archive: Path, manifest: Manifest, place: Path) -> None:
    """Unpack what the controller reads, compared once more; the manifest says that it is whole."""
    with opened(archive) as members:
        for file in manifest.files:
            if file.path.startswith(_SMALL):
                _compare(archive, members[file.path], file)
                target = place / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_content(archive, file.path, members[file.path], file.size))
        manifest_data = _content(archive, MANIFEST, members[MANIFEST], _LARGEST_MANIFEST)
    place.joinpath(MANIFEST).write_bytes(manifest_data)
