"""Package sources of apt: one-line (sources.list(5)) and deb822 form."""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

from ..credentials import without_credentials
from ..rootfs import RootFs
from . import deb822
from .unknown import Unknown

_FILE = "/etc/apt/sources.list"
_FOLDER = "/etc/apt/sources.list.d"
# Other names in the folder are ignored by apt.
_NAME = re.compile(r"[\w.-]+\.(list|sources)", re.ASCII)
_ONE_LINE = re.compile(
    r"\s*(?P<type>deb|deb-src)\s+(?:\[(?P<options>[^]]*)\]\s*)?"
    r"(?P<uri>cdrom:\[[^]]*\]\S*|\S+)\s+(?P<suite>\S+)(?P<components>[^#]*)"
)
_ARMOUR = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_YES = frozenset(["yes", "true", "with", "on", "enable", "1"])
_NO = frozenset(["no", "false", "without", "off", "disable", "0"])


class Source(NamedTuple):
    """One entry.

    Attributes:
        file: that holds it.
        line: its first line there.
        types: ``deb``, ``deb-src``.
        uris: without names and passwords of users.
        suites: releases of the archive.
        components: parts of the archive.
        signed_by: paths of keyrings, fingerprints, or ``file:line`` for a key in the entry.
        key: the key in the entry itself, in ASCII armour, or empty.
        trusted: whether it is used without a signature.
        enabled: whether apt reads it.
    """

    file: str
    line: int
    types: list[str]
    uris: list[str]
    suites: list[str]
    components: list[str]
    signed_by: list[str]
    key: str
    trusted: bool
    enabled: bool

    def as_fact(self) -> dict[str, object]:
        """Return the entry as plain data, without the key."""
        return {name: value for name, value in self._asdict().items() if name != "key"}


def sources(rootfs: RootFs, unknown: Unknown) -> list[Source]:
    """Return all entries, disabled ones included; lines that are none are left out.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each file that cannot be read.

    Raises:
        UnreadableError: the folder of the sources cannot be read.
    """
    names = [name for name in rootfs.optional_names(_FOLDER) if _NAME.fullmatch(name)]
    found: list[Source] = []
    for path in (_FILE, *(f"{_FOLDER}/{name}" for name in names)):
        text = unknown.collect(f"apt.sources.{path}", rootfs.optional_text, path) or ""
        found += _deb822(path, text) if path.endswith(".sources") else _one_line(path, text)
    return found


def _one_line(path: str, text: str) -> Iterator[Source]:
    for number, line in enumerate(text.splitlines(), 1):
        match = _ONE_LINE.match(line)
        if match is None:
            continue
        words = (word.partition("=") for word in (match["options"] or "").split())
        options = {name.lower(): value.strip('"') for name, _, value in words}
        yield Source(
            file=path,
            line=number,
            types=[match["type"]],
            uris=[without_credentials(match["uri"])],
            suites=[match["suite"]],
            components=match["components"].split(),
            signed_by=[key for key in options.get("signed-by", "").split(",") if key],
            key="",
            trusted=_says(_YES, options, "trusted", "allow-insecure"),
            enabled=True,
        )


def _deb822(path: str, text: str) -> Iterator[Source]:
    for number, fields in deb822.paragraphs(text):
        uris, suites = fields.get("uris", "").split(), fields.get("suites", "").split()
        if not uris or not suites:
            continue
        signed_by = fields.get("signed-by", "")
        embedded = _ARMOUR in signed_by
        yield Source(
            file=path,
            line=number,
            types=fields.get("types", "").split(),
            uris=[without_credentials(uri) for uri in uris],
            suites=suites,
            components=fields.get("components", "").split(),
            signed_by=[f"{path}:{number}"] if embedded else signed_by.replace(",", " ").split(),
            key=signed_by if embedded else "",
            trusted=_says(_YES, fields, "trusted", "allow-insecure"),
            enabled=not _says(_NO, fields, "enabled"),
        )


def _says(words: frozenset[str], options: dict[str, str], *names: str) -> bool:
    return any(options.get(name, "").lower() in words for name in names)
