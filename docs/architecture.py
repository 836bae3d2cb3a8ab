"""Make the generated parts of docs/architecture.md: rooms, their imports, what runs on targets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import tomllib
from generated_parts import ROOT, cell

PACKAGE = ROOT / "installer" / "rdna1"


def parts() -> dict[str, str]:
    """Return the Markdown of each generated part of the page."""
    return {
        "imports": diagram(imports()),
        "rooms": rooms_table(),
        "python-3.8": python_3_8_list(),
    }


def rooms() -> list[str]:
    """Return the names of the packages in ``rdna1``, sorted."""
    return sorted(file.parent.name for file in PACKAGE.glob("*/__init__.py"))


def imports() -> dict[str, set[str]]:
    """Return for each room the rooms whose modules it imports, itself left out."""
    names = set(rooms())
    found: dict[str, set[str]] = {}
    for room in names:
        used: set[str] = set()
        for file in (PACKAGE / room).rglob("*.py"):
            used |= set(_imported_rooms(file)) & names
        found[room] = used - {room}
    return found


def diagram(edges: dict[str, set[str]]) -> str:
    """Return a Mermaid diagram of imports; one that others imply is left out.

    Args:
        edges: for each room those that it imports; without a circle.
    """
    lines = ["```mermaid", "flowchart TD"]
    for room in sorted(edges):
        implied = {far for near in edges[room] for far in reached(edges, near)}
        lines += [f"    {room} --> {other}" for other in sorted(edges[room] - implied)]
        if not edges[room] and not any(room in used for used in edges.values()):
            lines.append(f"    {room}")
    return "\n".join([*lines, "```"])


def rooms_table() -> str:
    """Return the Markdown table of the rooms, from the first lines of their docstrings."""
    rows = ["| room | what is in it |", "|---|---|"]
    for room in rooms():
        text = (PACKAGE / room / "__init__.py").read_text()
        meaning = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
        # Docstrings name code as reStructuredText does.
        meaning = meaning.replace("``", "`")
        rows.append(f"| `{room}/` | {cell(meaning)} |")
    return "\n".join(rows)


def python_3_8_list() -> str:
    """Return the list of what runs under a target's Python, from ruff's settings."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    versions = settings["tool"]["ruff"]["per-file-target-version"]
    return "\n".join(
        f"- `{path}`" for path, version in sorted(versions.items()) if version == "py38"
    )


def reached(edges: dict[str, set[str]], room: str) -> set[str]:
    """Return the rooms that a room imports, or that one of those does."""
    found: set[str] = set()
    waiting = list(edges[room])
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += edges[other]
    return found


def _imported_rooms(file: Path) -> Iterator[str]:
    """The second part of every name of ``rdna1`` that a module imports."""
    package = ["rdna1", *file.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            match = re.match(r"rdna1\.(\w+)", name)
            if match:
                yield match[1]
