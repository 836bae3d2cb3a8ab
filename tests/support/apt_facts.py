"""Sources and keyrings of AMD's repository, as the facts of a machine have them."""

from __future__ import annotations

from rdna1.catalog.repositories import amd_repository

AMD = "https://repo.radeon.com/rocm/apt/"
KEYRING = "/etc/apt/keyrings/rocm.gpg"
FINGERPRINT = amd_repository().fingerprint


def source(
    uri: str = f"{AMD}5.7.1",
    suite: str = "noble",
    *,
    line: int = 1,
    signed_by: tuple[str, ...] = (KEYRING,),
    trusted: bool = False,
    enabled: bool = True,
    kind: str = "deb",
    file: str = "/etc/apt/sources.list.d/rocm.list",
) -> dict[str, object]:
    """A source of AMD's repository, as the facts have it."""
    return {
        "file": file,
        "line": line,
        "types": [kind],
        "uris": [uri],
        "suites": [suite],
        "components": ["main"],
        "signed_by": list(signed_by),
        "trusted": trusted,
        "enabled": enabled,
    }


def keyring(
    fingerprint: str = FINGERPRINT,
    *,
    path: str = KEYRING,
    for_all: bool = False,
    expires: str | None = None,
    expired: bool = False,
    revoked: bool = False,
    sha1: bool = False,
) -> dict[str, object]:
    """A keyring with one key, as the facts have it."""
    key = {
        "fingerprint": fingerprint,
        "expires": expires,
        "expired": expired,
        "revoked": revoked,
        "sha1": sha1,
    }
    return {"path": path, "exists": True, "for_all": for_all, "keys": [key]}
