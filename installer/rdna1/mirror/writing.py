"""Finish a mirror: its manifest, and the tar of it."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rdna1.mirror.manifest import MANIFEST, Manifest, MirrorArchive, MirrorFile, digest
from rdna1.report.json import to_json


def write_manifest(
    folder: Path, subject: Mapping[str, Any], archives: Sequence[MirrorArchive]
) -> Manifest:
    """Describe what is in a folder.

    Args:
        folder: of the mirror.
        subject: what it is for: ``stack``, ``os``, ``version``, ``architecture``,
            ``rocm_source``, ``pytorch_source``, ``packages``.
        archives: of apt.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = Manifest(
        made_at=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        **subject,
        archives=list(archives),
        files=[_file(folder, path) for path in paths if path != folder / MANIFEST],
    )
    folder.joinpath(MANIFEST).write_text(to_json(manifest))
    return manifest


def write_archive(folder: Path, manifest: Manifest, path: Path) -> None:
    """Pack a mirror into a tar: its files as the manifest lists them, the manifest last.

    Whoever unpacks it has all of it when there is a manifest.
    """
    draft = path.with_name(f"{path.name}.part")
    with tarfile.open(draft, "w") as tar:
        for name in [*(file.path for file in manifest.files), MANIFEST]:
            tar.add(folder / name, name, filter=_plain)
    draft.replace(path)


def _file(folder: Path, path: Path) -> MirrorFile:
    with path.open("rb") as file:
        sha256 = digest(file)
    return MirrorFile(str(path.relative_to(folder)), sha256, path.stat().st_size)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's in particular, and readable: apt reads it as another user than root."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o644
    return entry
