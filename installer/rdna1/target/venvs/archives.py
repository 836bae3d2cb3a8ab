"""Get a source distribution that a lock has the hash of, without running anything of it."""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Iterable
from urllib.parse import unquote, urlsplit, urlunsplit

from ..credentials import text_without_credentials, without_credentials
from ..printable import printable
from ..whole_file import whole_file
from .spec import entry_name

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_ARCHIVE = re.compile(r"(?P<name>[\w.-]+)-(?P<version>[\w.+!]+)(?:\.tar\.gz|\.zip)", re.ASCII)
# As uv writes it in a pylock.toml (PEP 751).
_SDIST = re.compile(r'^sdist = \{ (?:name = "[^"]*", )?url = "([^"]+)"', re.MULTILINE)
_LARGEST = 512 * 1024 * 1024
_PIECE = 1024 * 1024
_TIMEOUT_SECONDS = 60
_SCHEMES = ("https", "http", "file")


class ArchiveError(Exception):
    """There is no such archive; the message holds the remedy."""


def archive_in(folder: Path, entry: str, place: Path) -> Path:
    """Copy the archive of an entry from a folder of files.

    Args:
        folder: with the files of a lock.
        entry: of the lock.
        place: folder for the copy.

    Raises:
        ArchiveError: it has none with a hash of the lock.
        OSError: it cannot be read or written.
    """
    name = entry_name(entry)
    for path in sorted(folder.iterdir()):
        match = _ARCHIVE.fullmatch(path.name)
        if match and entry_name(match["name"]) == name:
            with path.open("rb") as source:
                if _copied(source, place / path.name, entry):
                    return place / path.name
    raise ArchiveError(
        f"{folder} has no source distribution of {name} with a hash of the lock. Remedy: collect "
        "the mirror again with playbooks/mirror.yml"
    )


def fetch_archive(pylock: str, index_url: str, entry: str, place: Path) -> Path:
    """Fetch the archive of an entry from where uv says that it is.

    Args:
        pylock: what uv says, in the form of PEP 751.
        index_url: whose user and password are for its own host alone.
        entry: of the lock.
        place: folder for the file.

    Raises:
        ArchiveError: it cannot be fetched, or is not the one that the lock has the hash of.
        OSError: it cannot be written.
    """
    match = _SDIST.search(pylock)
    url = match[1] if match else ""
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    if urlsplit(url).scheme not in _SCHEMES or not _ARCHIVE.fullmatch(name):
        raise ArchiveError(f"the index has no source distribution of {entry_name(entry)}")
    shown = without_credentials(url)
    try:
        # One of _SCHEMES.
        with urllib.request.urlopen(  # noqa: S310
            _request(url, index_url), timeout=_TIMEOUT_SECONDS
        ) as answer:
            fits = _copied(answer, place / name, entry)
    except (OSError, HTTPException) as error:
        reason = text_without_credentials(str(error))
        raise ArchiveError(
            f"{shown} cannot be fetched: {printable(reason)}. Remedy: check the network and "
            "proxies, run again"
        ) from error
    if not fits:
        raise ArchiveError(
            f"{shown} is not the file that the lock has the hash of. Remedy: run again; if it "
            "stays so, the index or what is between is not to be trusted"
        )
    return place / name


def _copied(source: BinaryIO, copy: Path, entry: str) -> bool:
    """Return whether a file has a hash of the entry; only then it is copied."""
    digest = hashlib.sha256()
    wanted = _HASH.findall(entry)
    try:
        with whole_file(copy, 0o644) as file:
            for piece in _pieces(source):
                digest.update(piece)
                file.write(piece)
            if digest.hexdigest() not in wanted:
                raise _OtherError
    except _OtherError:
        return False
    return True


class _OtherError(Exception):
    """It is another file; the draft goes."""


def _pieces(source: BinaryIO) -> Iterable[bytes]:
    left = _LARGEST
    while left > 0:
        piece = source.read(_PIECE)
        if not piece:
            return
        left -= len(piece)
        yield piece
    raise _OtherError


def _request(url: str, index_url: str) -> urllib.request.Request:
    """Give a request with the user and password of the index, which are not part of its address."""
    parts, index = urlsplit(url), urlsplit(index_url)
    place = parts.netloc.rpartition("@")[2]
    secret = parts.netloc.rpartition("@")[0]
    if not secret and place == index.netloc.rpartition("@")[2] and parts.scheme == index.scheme:
        secret = index.netloc.rpartition("@")[0]
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=place)))  # noqa: S310
    if secret:
        value = base64.b64encode(unquote(secret).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {value}")
    return request
