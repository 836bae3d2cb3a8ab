"""Finish a mirror: its manifest, and the tar of it."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

import msgspec

from rdna1.mirror.manifest import (
    MANIFEST,
    SIGNATURE,
    Manifest,
    MirrorArchive,
    MirrorError,
    digest,
)
from rdna1.mirror.members import Member, opened
from rdna1.report.json import to_json
from rdna1.target.whole_file import whole_file


def write_manifest(
    folder: Path, subject: Mapping[str, Any], archives: Sequence[MirrorArchive]
) -> Manifest:
    """Describe what is in a folder.

    Args:
        folder: of the mirror.
        subject: what it is for: ``stack``, ``os``, ``version``, ``architecture``,
            ``rocm_source``, ``pytorch_source``, ``pytorch_channel``, ``packages``.
        archives: of apt.

    Raises:
        MirrorError: there is something in it that is not part of a mirror.
    """
    with opened(folder) as members:
        files = [
            _described(name, member)
            for name, member in sorted(members.items())
            if name not in (MANIFEST, SIGNATURE)
        ]
    described = {
        "made_at": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        **subject,
        "archives": msgspec.to_builtins(archives),
        "files": files,
    }
    try:
        manifest = msgspec.convert(described, Manifest)
    except (msgspec.ValidationError, ValueError) as error:
        raise MirrorError(f"{folder}: what was collected is not a mirror: {error}") from error
    folder.joinpath(MANIFEST).write_text(to_json(manifest))
    return manifest


def write_archive(folder: Path, manifest: Manifest, path: Path) -> None:
    """Pack a mirror into a tar: its files as the manifest lists them, the manifest last.

    Whoever unpacks it has all of it when there is a manifest.

    Raises:
        MirrorError: a file is no longer there.
    """
    with (
        opened(folder) as members,
        whole_file(path, 0o644) as draft,
        tarfile.open(fileobj=draft, mode="w") as tar,
    ):
        signed = [SIGNATURE] if SIGNATURE in members else []
        for name in [*(file.path for file in manifest.files), *signed, MANIFEST]:
            if name not in members:
                raise MirrorError(f"{folder}: {name} is missing")
            with members[name].open() as file:
                _add(tar, name, members[name].size, file)


def _described(name: str, member: Member) -> dict[str, object]:
    with member.open() as file:
        return {"path": name, "sha256": digest(file), "size": member.size}


def _add(tar: tarfile.TarFile, name: str, size: int, file: IO[bytes]) -> None:
    """Add a file that is nobody's in particular, and readable: apt reads it as another user."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.uname = entry.gname = "root"
    entry.mode = 0o644
    tar.addfile(entry, file)
