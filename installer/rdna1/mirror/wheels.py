"""Download wheels and source distributions that a lock names."""

from __future__ import annotations

import re
import shutil
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rdna1.mirror.manifest import MirrorError, digest
from rdna1.target.credentials import text_without_credentials, without_credentials
from rdna1.wheels import LockedFile

_TIMEOUT_SECONDS = 60
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]*\.(?:whl|tar\.gz|zip)")
_SCHEMES = ("https", "http", "file")


def download_wheels(files: Sequence[LockedFile], folder: Path) -> None:
    """Download files and keep those alone that have the hash of the lock.

    Raises:
        MirrorError: one cannot be fetched, or is another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        path = folder / _name(file.url)
        if path.exists() and _sha256(path) == file.sha256:
            continue
        _fetch(file.url, path)
        if _sha256(path) != file.sha256:
            path.unlink()
            raise MirrorError(
                f"{without_credentials(file.url)} is not the file that the lock has the hash of "
                f"({file.sha256}). "
                "Remedy: run again; if it stays so, the index or what is between is not to be "
                "trusted"
            )


def _name(url: str) -> str:
    """Return the name of the file at an address that an index gave.

    Raises:
        MirrorError: neither a wheel nor a source is called so, or it cannot be fetched from there.
    """
    parts = urlsplit(url)
    name = Path(unquote(parts.path)).name
    if not _FILE.fullmatch(name):
        raise MirrorError(f"the index names {name!r}, which is neither a wheel nor a source")
    if parts.scheme not in _SCHEMES:
        raise MirrorError(f"the index names {parts.scheme!r} as the way to {name}")
    return name


def _fetch(url: str, path: Path) -> None:
    try:
        # One of _SCHEMES.
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer,  # noqa: S310
            path.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file, 1 << 20)
    except OSError as error:
        path.unlink(missing_ok=True)
        reason = text_without_credentials(str(error))
        raise MirrorError(
            f"{without_credentials(url)} cannot be fetched: {reason}. "
            "Remedy: check the network and proxies, run again"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return digest(file)
