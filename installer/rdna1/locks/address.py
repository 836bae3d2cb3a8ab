"""Addresses of indexes: the first lock trusts what an index says."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from rdna1.locks.form import LockError


def refuse_insecure(url: str, *, http: bool) -> None:
    """Refuse the address of an index that anybody on the way could answer for.

    Args:
        url: https, a folder, or http on this machine's loopback; empty for PyPI.
        http: whether the owner wants http from elsewhere as well.

    Raises:
        LockError: it is another one; with the remedy.
    """
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
    except ValueError:  # brackets that hold no address
        scheme, host = "", ""
    safe = {
        "https": bool(host),
        "file": not host,
        "http": http or _is_loopback(host),
    }
    if url and not safe.get(scheme, False):
        # Without user and password.
        shown = f"{scheme}://{host}"
        raise LockError(
            f"the index {shown!r} is not at an https address, so that anybody on the way could "
            "choose the wheels of a first lock. Remedy: name it with https, or set "
            "pytorch_allow_http if you trust the network to it"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
