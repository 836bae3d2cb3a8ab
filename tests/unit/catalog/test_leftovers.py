"""What older scripts left of AMD's repository, and what must stay."""

from __future__ import annotations

import pytest

from rdna1.catalog.amd_leftovers import leftovers
from rdna1.catalog.repositories import amd_repository

AMD = amd_repository()
MIRRORS_KEY = "F6ECB3762474EDA9D21B7022871920D1991BC93C"
LIST = "/etc/apt/sources.list.d/rocm.list"
FOLDER = "/etc/apt/trusted.gpg.d"


def source(
    file: str, uri: str = "https://repo.radeon.com/rocm/apt/5.7", *, enabled: bool = True
) -> dict[str, object]:
    return {"file": file, "uris": [uri], "enabled": enabled}


def keyring(name: str, *fingerprints: str, for_all: bool = True) -> dict[str, object]:
    keys = [{"fingerprint": fingerprint} for fingerprint in fingerprints]
    return {"path": f"{FOLDER}/{name}", "for_all": for_all, "keys": keys}


UBUNTU = "http://archive.ubuntu.com/ubuntu"


@pytest.mark.parametrize(
    ("sources", "files", "mixed"),
    [
        ([source(LIST)], [LIST], []),
        ([source(LIST), source(LIST)], [LIST], []),
        ([source(LIST), source(LIST, UBUNTU)], [], [LIST]),
        ([source("/etc/apt/sources.list")], [], ["/etc/apt/sources.list"]),
        ([source(LIST, "https://user@repo.radeon.com:443/amdgpu")], [LIST], []),
        ([source(LIST, enabled=False)], [], []),
        ([source(AMD.sources_file), source(AMD.driver_sources_file)], [], []),
        ([source(LIST, "https://repo.radeon.com.example/rocm/apt/5.7")], [], []),
        ([source(LIST, "http://[broken/rocm")], [], []),
        (None, [], []),
    ],
)
def test_sources(
    sources: list[dict[str, object]] | None, files: list[str], mixed: list[str]
) -> None:
    found = leftovers({"sources": sources, "keyrings": []}, AMD, {AMD.fingerprint})
    assert (found.files, found.mixed) == (files, mixed)


def test_a_keyring_with_other_keys_stays() -> None:
    keyrings = [
        keyring("amd.gpg", AMD.fingerprint),
        keyring("mirror.gpg", MIRRORS_KEY),
        keyring("both.gpg", AMD.fingerprint, MIRRORS_KEY),
        keyring("three.gpg", AMD.fingerprint, "0" * 40),
        keyring("empty.gpg"),
        keyring("of-one-source.gpg", AMD.fingerprint, for_all=False),
    ]
    found = leftovers({"sources": [], "keyrings": keyrings}, AMD, {AMD.fingerprint, MIRRORS_KEY})
    assert found.keyrings == [f"{FOLDER}/{n}.gpg" for n in ("amd", "mirror", "both")]
