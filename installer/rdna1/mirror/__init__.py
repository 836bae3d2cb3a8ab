"""Mirrors: all that a stack needs on one release, in a folder or a tar, for machines offline."""

from rdna1.mirror.manifest import (
    MANIFEST,
    Manifest,
    MirrorArchive,
    MirrorError,
    MirrorFile,
)
from rdna1.mirror.reading import Mirror, check, prepare
from rdna1.mirror.wheels import download_wheels
from rdna1.mirror.writing import write_archive, write_manifest

__all__ = [
    "MANIFEST",
    "Manifest",
    "Mirror",
    "MirrorArchive",
    "MirrorError",
    "MirrorFile",
    "check",
    "download_wheels",
    "prepare",
    "write_archive",
    "write_manifest",
]
