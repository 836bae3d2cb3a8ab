"""Keyrings that apt's sources refer to, and those it trusts for every source."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone

from ..rootfs import MissingError, RootFs, UnreadableError
from . import openpgp
from .apt_sources import Source
from .unknown import Unknown

_TRUSTED = "/etc/apt/trusted.gpg"
_TRUSTED_FOLDER = "/etc/apt/trusted.gpg.d"
_NAME = re.compile(r"[\w.+-]+\.(gpg|asc)", re.ASCII)


def keyrings(rootfs: RootFs, sources: list[Source], unknown: Unknown) -> list[dict[str, object]]:
    """Return ``path``, ``exists``, ``for_all`` and ``keys`` of each keyring.

    ``for_all`` says that apt trusts it for every source without a keyring of its own. A key
    has ``fingerprint``, ``expires`` (a date in UTC or None for never), ``expired`` (by this
    machine's clock), ``revoked`` and ``sha1`` (it is self-signed with SHA-1). A key
    within a source has ``file:line`` for its path.

    Args:
        rootfs: of the machine.
        sources: what refers to keyrings.
        unknown: gets the reason for each keyring that cannot be read.

    Raises:
        UnreadableError: the folder of the trusted keyrings cannot be read.
    """
    names = [name for name in rootfs.optional_names(_TRUSTED_FOLDER) if _NAME.fullmatch(name)]
    trusted = [f"{_TRUSTED_FOLDER}/{name}" for name in names]
    if rootfs.exists(_TRUSTED):
        trusted.append(_TRUSTED)
    named = {path for source in sources for path in source.signed_by if _is_file(source, path)}
    embedded = {source.signed_by[0]: source.key for source in sources if source.key}
    found = [
        unknown.collect(f"apt.keyrings.{path}", _of_file, rootfs, path, path in trusted)
        for path in sorted({*named, *trusted})
    ]
    found += [
        unknown.collect(f"apt.keyrings.{place}", _keyring, place, text.encode(), False)
        for place, text in embedded.items()
    ]
    return [keyring for keyring in found if keyring is not None]


def _is_file(source: Source, name: str) -> bool:
    return not source.key and name.startswith("/")


def _of_file(rootfs: RootFs, path: str, for_all: bool) -> dict[str, object]:
    try:
        data = rootfs.data(path)
    except MissingError:
        return {"path": path, "exists": False, "for_all": for_all, "keys": []}
    return _keyring(path, data, for_all)


def _keyring(path: str, data: bytes, for_all: bool) -> dict[str, object]:
    try:
        keys = openpgp.keys(data)
    except openpgp.OpenPgpError as error:
        raise UnreadableError(f"{path}: {error}") from error
    return {
        "path": path,
        "exists": True,
        "for_all": for_all,
        "keys": [_as_fact(key) for key in keys],
    }


def _as_fact(key: openpgp.Key) -> dict[str, object]:
    expires = None if key.expires is None else datetime.fromtimestamp(key.expires, timezone.utc)
    return {
        "fingerprint": key.fingerprint,
        "expires": expires and expires.strftime("%Y-%m-%d"),
        "expired": key.expires is not None and key.expires <= time.time(),
        "revoked": key.revoked,
        "sha1": key.sha1,
    }
