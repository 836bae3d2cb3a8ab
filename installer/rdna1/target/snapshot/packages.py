"""Installed packages, how they came, and what needs what."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Iterator

from ..facts.dpkg import ABSENT, Status
from ..rootfs import RootFs

# Name to version, and whether it came automatically and is on hold.
Packages = Dict[str, Dict[str, Any]]

_GOING = frozenset(["deinstall", "purge"])
_MARKS = "/var/lib/apt/extended_states"
_FIELD = re.compile(r"^(Depends|Pre-Depends|Provides): (.*)$", re.MULTILINE)


def read_packages(rootfs: RootFs) -> Packages:
    """Return all packages that are there, unfinished ones included.

    Those of another architecture are named ``NAME:ARCHITECTURE``.

    Raises:
        rdna1.target.rootfs.UnreadableError: dpkg's or apt's file cannot be read.
    """
    status = Status(rootfs)
    native = status.native_architecture()
    automatic = _automatic(rootfs, native)
    return {
        name: {
            "version": package.version,
            "auto": name in automatic,
            "hold": package.wanted == "hold",
            # Of a whole package nothing is said, as older records do not.
            **({} if package.settled else {"state": f"{package.flag} {package.state}"}),
        }
        for package in status.packages()
        if package.state not in ABSENT
        for name in [_name(package.name, package.architecture, native)]
    }


def read_going(rootfs: RootFs) -> set[str]:
    """Return packages that are there, and that dpkg was asked to remove.

    Raises:
        rdna1.target.rootfs.UnreadableError: dpkg's file cannot be read.
    """
    status = Status(rootfs)
    native = status.native_architecture()
    return {
        _name(package.name, package.architecture, native)
        for package in status.packages()
        if package.present and package.wanted in _GOING
    }


def read_leftovers(rootfs: RootFs) -> list[str]:
    """Return packages that are removed but for their configuration.

    Raises:
        rdna1.target.rootfs.UnreadableError: dpkg's file cannot be read.
    """
    status = Status(rootfs)
    native = status.native_architecture()
    return sorted(
        _name(package.name, package.architecture, native)
        for package in status.packages()
        if package.state == "config-files"
    )


def needed(rootfs: RootFs, candidates: Iterable[str]) -> dict[str, str]:
    """Return those of the candidates that a package which is none of them needs, and that package.

    Of several packages that satisfy a dependency one is enough. Versions are not looked at.

    Raises:
        rdna1.target.rootfs.UnreadableError: dpkg's file cannot be read.
    """
    status = Status(rootfs)
    native = status.native_architecture()
    needs: dict[str, list[list[str]]] = {}
    providers: dict[str, set[str]] = {}
    for name, fields in _relations(status.paragraphs(), native):
        wanted = f"{fields.get('Depends', '')},{fields.get('Pre-Depends', '')}"
        needs[name] = [list(_names(part)) for part in wanted.split(",")]
        for provided in {name.partition(":")[0], *_names(fields.get("Provides", ""))}:
            providers.setdefault(provided, set()).add(name)
    going = set(candidates)
    found: dict[str, str] = {}
    pending = [(name, name) for name in sorted(needs.keys() - going)]
    while pending:
        name, root = pending.pop()
        for alternatives in needs[name]:
            ways = [sorted(providers.get(other, ())) for other in alternatives]
            there = [way for way in ways if way]
            if any(other not in going for way in there for other in way):
                continue
            for other in there[0] if there else ():
                going.remove(other)
                found[other] = root
                pending.append((other, root))
    return found


def _relations(entries: list[str], native: str) -> Iterator[tuple[str, dict[str, str]]]:
    for paragraph in entries:
        values = dict(re.findall(r"^(Package|Architecture|Status): (.*)$", paragraph, re.MULTILINE))
        if values.get("Status", "").endswith(" installed"):
            yield (
                _name(values["Package"], values.get("Architecture", native), native),
                dict(_FIELD.findall(paragraph)),
            )


def _names(relation: str) -> Iterator[str]:
    """Yield names in a relation such as ``a (>= 1), b:any | c``."""
    for part in re.split(r"[,|]", relation):
        name = re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", part)
        if name:
            yield name[1]


def _automatic(rootfs: RootFs, native: str) -> set[str]:
    text = rootfs.optional_text(_MARKS) or ""
    entries = (
        dict(re.findall(r"^(\S+): (.*)$", part, re.MULTILINE)) for part in text.split("\n\n")
    )
    return {
        _name(entry["Package"], entry.get("Architecture", native), native)
        for entry in entries
        if entry.get("Auto-Installed") == "1" and "Package" in entry
    }


def _name(name: str, architecture: str, native: str) -> str:
    return name if architecture in (native, "all") else f"{name}:{architecture}"
