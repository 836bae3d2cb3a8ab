"""What others wrote on a machine for AMD's repository: sources, and keys trusted for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from rdna1.catalog.repositories import AmdRepository

# Where entries of every kind stand together; it stays, even when only AMD's are left in it.
_COMMON_FILE = "/etc/apt/sources.list"


class Leftovers(msgspec.Struct, frozen=True):
    """Files that a source of this project's own replaces.

    Attributes:
        files: of sources, that hold nothing but AMD's.
        mixed: of sources, that hold others as well as AMD's.
        keyrings: that apt trusts for every source, and that hold nothing but AMD's key.
    """

    files: list[str]
    mixed: list[str]
    keyrings: list[str]


def leftovers(
    apt: Mapping[str, Any], amd: AmdRepository, fingerprints: Collection[str]
) -> Leftovers:
    """Find them among the facts of a machine.

    Args:
        apt: the fact ``apt`` as `rdna1.target.facts.collect.collect` returns it.
        amd: the repository, with the files that are this project's own.
        fingerprints: of the keys that count as AMD's.
    """
    own = {amd.sources_file, amd.driver_sources_file}
    enabled = [s for s in apt["sources"] or [] if s["enabled"] and s["file"] not in own]
    of_amd = _files(s for s in enabled if _is_amds(amd, s["uris"]))
    mixed = _files(s for s in enabled if not _is_amds(amd, s["uris"])) | {_COMMON_FILE}
    return Leftovers(
        files=sorted(of_amd - mixed),
        mixed=sorted(of_amd & mixed),
        keyrings=[
            keyring["path"]
            for keyring in apt["keyrings"] or []
            if keyring["for_all"]
            and keyring["keys"]
            and all(key["fingerprint"] in fingerprints for key in keyring["keys"])
        ],
    )


def _files(sources: Iterable[Mapping[str, Any]]) -> set[str]:
    return {source["file"] for source in sources}


def _is_amds(amd: AmdRepository, uris: Iterable[str]) -> bool:
    return any(_host(uri) == amd.host for uri in uris)


def _host(uri: str) -> str | None:
    try:
        return urlsplit(uri).hostname
    except ValueError:  # brackets that hold no address
        return None
