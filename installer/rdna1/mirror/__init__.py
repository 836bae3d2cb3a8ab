"""Mirrors: all that a stack needs on one release, in a folder or a tar, for machines offline."""

from rdna1.mirror.lock import check_mirror_lock
from rdna1.mirror.manifest import (
    MANIFEST,
    Manifest,
    MirrorArchive,
    MirrorError,
    MirrorFile,
)
from rdna1.mirror.reading import Expected, Mirror, check, prepare
from rdna1.mirror.signature import sign
from rdna1.mirror.wheels import download_wheels
from rdna1.mirror.writing import write_archive, write_manifest

__all__ = [
    "MANIFEST",
    "Expected",
    "Manifest",
    "Mirror",
    "MirrorArchive",
    "MirrorError",
    "MirrorFile",
    "check",
    "check_mirror_lock",
    "download_wheels",
    "prepare",
    "sign",
    "write_archive",
    "write_manifest",
]
