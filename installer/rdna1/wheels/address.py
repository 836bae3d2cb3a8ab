"""Addresses of indexes: the first lock trusts what an index says."""

from __future__ import annotations

import ipaddress
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from rdna1.wheels.form import LockError


def refuse_insecure(url: str, *, http: bool) -> None:
    """Refuse the address of an index that anybody on the way could answer for.

    Args:
        url: https, a folder, or http on this machine's loopback; empty for PyPI.
        http: whether the owner wants http from elsewhere as well.

    Raises:
        LockError: it is another one; with the remedy.
    """
    if url and not _is_safe(url, http=http):
        raise LockError(
            f"the index {_shown(url)!r} is not at an https address, so that anybody on the way "
            "could choose the wheels of a first lock. Remedy: name it with https, or set "
            "pytorch_allow_http if you trust the network to it"
        )


def refuse_insecure_file(url: str, *, http: bool) -> None:
    """Refuse the address that an index gave for a file, whose hash is not known before.

    Args:
        url: as in `refuse_insecure`.
        http: as in `refuse_insecure`.

    Raises:
        LockError: it is another one; with the remedy.
    """
    if not _is_safe(url, http=http):
        raise LockError(
            f"the index leads to {_shown(url)!r} for {PurePosixPath(urlsplit(url).path).name!r}, "
            "which is not an https address, so that anybody on the way could choose this file of a "
            "first lock. Remedy: name another index, or set pytorch_allow_http if you trust the "
            "network to it"
        )


def _is_safe(url: str, *, http: bool) -> bool:
    scheme, host = _place(url)
    safe = {"https": bool(host), "file": not host, "http": http or _is_loopback(host)}
    return safe.get(scheme, False)


def _shown(url: str) -> str:
    """Return what of an address may be told: not user and password."""
    return "{}://{}".format(*_place(url))


def _place(url: str) -> tuple[str, str]:
    try:
        return urlsplit(url).scheme, urlsplit(url).hostname or ""
    except ValueError:  # brackets that hold no address
        return "", ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
