"""Read a mirror, folder or tar, and make sure that it is what was collected."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from rdna1.mirror.manifest import MANIFEST, Manifest, MirrorError, MirrorFile, decode, digest
from rdna1.mirror.writing import write_archive
from rdna1.target.exclusive_lock import exclusive_lock, lock_file

_COLLECT = "Remedy: copy the mirror again, or collect it anew with playbooks/mirror.yml"
# What the controller itself reads.
_SMALL = ("keys/", "locks/")
# In the cache: the path that a folder there is of.
_ORIGIN = "origin"


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


def check(path: Path) -> tuple[Manifest, str]:
    """Compare every file of a mirror with its manifest.

    Args:
        path: a folder, or a tar of one.

    Returns:
        The manifest and its hash.

    Raises:
        MirrorError: it is no mirror, or a file is missing or another.
    """
    data, found = _read(path)
    manifest = decode(data, str(path))
    for file in manifest.files:
        if file.path not in found:
            raise MirrorError(f"{path}: {file.path} is missing. {_COLLECT}")
        if found[file.path] != file:
            raise MirrorError(
                f"{path}: {file.path} is not what was collected: {found[file.path].sha256} instead "
                f"of {file.sha256}. {_COLLECT}"
            )
    return manifest, hashlib.sha256(data).hexdigest()


def prepare(path: Path, cache: Path) -> Mirror:
    """Check a mirror and give it as a tar, and its small files as a folder.

    Args:
        path: a folder, or a tar of one.
        cache: folder for what has to be made of it. Each path has its own place there, as runs
            with different mirrors may be under way; what an older mirror at this path, or one
            that is gone, left there is removed.

    Raises:
        MirrorError: as from ``check``.
        ExclusiveLockError: another run prepares one and does not end.
    """
    manifest, sha256 = check(path)
    cache.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(lock_file(cache)):
        place = _place(path.resolve(), cache) / sha256[:12]
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
    """The folder of a path in the cache, without those of paths that are gone."""
    place = cache / hashlib.sha256(str(path).encode()).hexdigest()[:12]
    place.mkdir(exist_ok=True)
    place.joinpath(_ORIGIN).write_text(str(path))
    for other in filter(Path.is_dir, cache.iterdir()):
        origin = other / _ORIGIN
        if not origin.exists() or not Path(origin.read_text()).exists():
            shutil.rmtree(other)
    return place


def _unpack_small(archive: Path, manifest: Manifest, place: Path) -> None:
    wanted = [f.path for f in manifest.files if f.path.startswith(_SMALL)]
    with tarfile.open(archive) as tar:
        for name in [*wanted, MANIFEST]:
            source = tar.extractfile(name)
            if source:
                target = place / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read())


def _read(path: Path) -> tuple[bytes, dict[str, MirrorFile]]:
    """The manifest, and what each other file is."""
    manifest, found = b"", {}
    try:
        for name, file in _files(path):
            if name == MANIFEST:
                manifest = file.read()
            else:
                sha256 = digest(file)
                found[name] = MirrorFile(name, sha256, file.tell())
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise MirrorError(f"{path}: cannot be read as a mirror: {error}. {_COLLECT}") from error
    if not manifest:
        raise MirrorError(f"{path}: is no mirror, there is no {MANIFEST} in it. {_COLLECT}")
    return manifest, found


def _files(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents."""
    if path.is_dir():
        for place in sorted(path.rglob("*")):
            if place.is_file():
                with place.open("rb") as file:
                    yield str(place.relative_to(path)), file
        return
    with tarfile.open(path) as tar:
        for entry in tar:
            member = tar.extractfile(entry)
            if member:
                yield entry.name, member
