"""The facts about packages as checked structures."""

from __future__ import annotations

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0)]


class LockHolder(msgspec.Struct, frozen=True):
    """The process that holds apt's or dpkg's lock; ``pid`` 0 is one outside a container."""

    pid: Count
    command: str


class Entry(msgspec.Struct, frozen=True):
    """A place in a file of settings."""

    file: str
    line: int

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


class Source(Entry, frozen=True):
    """An entry of apt's sources; ``signed_by`` holds paths, fingerprints or ``file:line``."""

    types: list[str]
    uris: list[str]
    suites: list[str]
    components: list[str]
    signed_by: list[str]
    trusted: bool
    enabled: bool


class Key(msgspec.Struct, frozen=True):
    """A primary key; ``expires`` is a date in UTC or None for never.

    ``sha1``: it is self-signed with SHA-1.
    """

    fingerprint: Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{40}$")]
    expires: str | None
    expired: bool
    revoked: bool
    sha1: bool


class Keyring(msgspec.Struct, frozen=True):
    """A file of keys; ``for_all``: for every source that names no keyring of its own."""

    path: str
    exists: bool
    for_all: bool
    keys: list[Key]


class Pin(Entry, frozen=True):
    """A pin of apt's preferences."""

    packages: list[str]
    pin: str
    priority: int


class ProxySetting(Entry, frozen=True):
    """A setting of apt that names a proxy."""

    name: str
    value: str


class Candidate(msgspec.Struct, frozen=True):
    """The version of a package that apt would install, and where it has it from."""

    version: str
    origins: list[str]


class Unfinished(msgspec.Struct, frozen=True):
    """A package that dpkg did not finish with, in the words of dpkg-query(1)."""

    name: str
    version: str
    wanted: str
    flag: str
    state: str


class Overwritten(msgspec.Struct, frozen=True):
    """A file that dpkg refused to overwrite, and the package that it is of."""

    path: str
    owner: str


class Apt(msgspec.Struct, frozen=True):
    """Packages as dpkg and apt know them.

    ``candidates`` holds the packages that were asked about; None is one without a candidate.
    ``dpkg_journal`` counts the changes that an interrupted dpkg did not write into its status
    file; facts of older versions do not tell.
    """

    packages: dict[str, str] | None
    half_configured: list[str] | None
    lock_holder: LockHolder | None
    held: list[str] | None
    sources: list[Source] | None
    keyrings: list[Keyring] | None
    pins: list[Pin] | None
    proxies: list[ProxySetting] | None
    candidates: dict[str, Candidate | None] | None
    # Facts that were saved before these were among them are assessed as well.
    dpkg_journal: int | None = None
    unfinished: list[Unfinished] | None = None
    overwritten: list[Overwritten] = []
