"""The record of a state as a page for users."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Sequence


def to_markdown(name: str, record: dict[str, Any]) -> str:
    """Write a page: versions, sources, variables, groups, files, packages.

    Args:
        name: of the run.
        record: the content of ``before.json``.
    """
    return "\n".join(_lines(name, record)) + "\n"


def _lines(name: str, record: dict[str, Any]) -> Iterator[str]:
    facts, packages = record["facts"], record["packages"]
    yield f"# {name}"
    yield ""
    yield f"The machine before this run, at {record['taken']}; `before.json` holds all of it."
    yield from _part("Versions", ("of", "is"), _versions(facts))
    yield from _part("Package sources", ("file", "line", "source"), _sources(facts))
    yield from _part("Keys of archives", ("file", "fingerprint", "expires"), _keys(facts))
    yield from _part("Pins", ("file", "line", "packages", "pin", "priority"), _pins(facts))
    yield from _part(
        "Variables",
        ("name", "value", "place", "line"),
        ((v["name"], v["value"], v["place"], v["line"]) for v in facts["variables"] or ()),
    )
    yield from _part(
        "Groups with members",
        ("group", "id", "members"),
        (
            (group, entry["gid"], ", ".join(entry["members"]))
            for group, entry in record["groups"].items()
            if entry["members"] or group in ("render", "video")
        ),
    )
    yield from _part(
        "Files that may be written, with their folders",
        ("path", "kind", "owner", "mode", "SHA-256 or target"),
        (
            (path, e["kind"], _owner(e), e.get("mode"), _identity(e))
            for path, e in sorted(record["files"].items())
        ),
    )
    yield from _part(
        f"Packages ({len(packages)})",
        ("name", "version", "came", "hold"),
        (
            (p, entry["version"], "auto" if entry["auto"] else "manual", entry["hold"] or "")
            for p, entry in sorted(packages.items())
        ),
    )


def _part(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    found = list(rows)
    yield from ("", f"## {title}", "")
    if not found:
        yield "None."
        return
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in found:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(value: object) -> str:
    """Return a value that can neither end its cell nor its line."""
    if value is None:
        return ""
    return " ".join(str(value).replace("|", "\\|").split())


def _versions(facts: dict[str, Any]) -> Iterator[tuple[str, object]]:
    system, kernel = facts["os"] or {}, facts["kernel"]
    yield "operating system", f"{system.get('id')} {system.get('version_id')}"
    yield "kernel", kernel["release"]
    yield "kernel command line", kernel["cmdline"]
    yield "glibc", facts["glibc"]
    yield from sorted((facts["apt"]["packages"] or {}).items())


def _sources(facts: dict[str, Any]) -> Iterator[tuple[object, object, str]]:
    for source in facts["apt"]["sources"] or ():
        rest = {name: value for name, value in source.items() if name not in ("file", "line")}
        yield source["file"], source["line"], ", ".join(f"{n}: {v}" for n, v in rest.items())


def _keys(facts: dict[str, Any]) -> Iterator[tuple[object, object, object]]:
    for keyring in facts["apt"]["keyrings"] or ():
        for key in keyring["keys"] or ():
            yield keyring["path"], key["fingerprint"], key.get("expires")


def _pins(facts: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    for pin in facts["apt"]["pins"] or ():
        yield pin["file"], pin["line"], " ".join(pin["packages"]), pin["pin"], pin["priority"]


def _owner(entry: dict[str, Any]) -> str:
    """Return owner and group; nothing for what was left out of the record."""
    return f"{entry['uid']}:{entry['gid']}" if "uid" in entry else ""


def _identity(entry: dict[str, Any]) -> object:
    return entry.get("target") or entry.get("sha256") or entry.get("reason")
