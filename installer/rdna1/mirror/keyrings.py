"""Which keys apt verifies the archives of a mirror with: the machine's own, and AMD's pinned one.

A mirror may say what an archive is signed with; which key that is, is not for it to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rdna1.mirror.manifest import AMD_KEY, MirrorArchive, MirrorError
from rdna1.target.apt_subset import folder_of

_FILE = re.compile(r"/[A-Za-z0-9_./+~-]+")
_OWN = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}


def signed_by(
    archive: MirrorArchive, sources: Iterable[Mapping[str, Any]], os: str, amd_keyring: str
) -> list[str]:
    """Return the keyrings for an archive; none stands for what apt trusts for all sources.

    That of a source of the machine for the same archive, else that of its distribution.

    Args:
        archive: of a mirror.
        sources: of the machine, as the facts have them.
        os: ``ID`` of the machine's os-release.
        amd_keyring: file with AMD's key, held to its fingerprint; empty where none is to be used.

    Raises:
        MirrorError: there is no key for it.
    """
    if archive.key == AMD_KEY and amd_keyring:
        return [amd_keyring]
    if archive.key == AMD_KEY:
        raise MirrorError(
            f"the mirror has {archive.folder} of AMD, and this machine takes ROCm from elsewhere. "
            "Remedy: collect a mirror with the same rdna1_rocm_source"
        )
    for source in sources:
        if source["enabled"] and archive.folder in map(folder_of, source["uris"]):
            files = [name for name in source["signed_by"] if _FILE.fullmatch(name)]
            if files or not source["signed_by"]:
                return files
    if os not in _OWN:
        raise MirrorError(
            f"no source of this machine names the key of {archive.folder}, and the keyring of "
            f"{os!r} is not known. Remedy: add a source of the same archive, with its key"
        )
    return [_OWN[os]]
