"""Whether a stack's settings are on a machine already, by its facts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from rdna1.target.facts.own_files import PLACES


def are_written(wanted: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the module rdna1_settings would find nothing to do.

    Args:
        wanted: arguments of the module.
        found: the fact ``stack_settings``.

    Returns:
        False as well where only the machine can tell: something is wanted at a place that the
        facts do not look at.
    """
    there = {str(entry["path"]): entry for entry in found}
    rights = {"owner": str(wanted["owner"]), "group": str(wanted["group"])}
    files = {
        str(file["path"]): hashlib.sha256(str(file["content"]).encode()).hexdigest()
        for file in wanted.get("files", [])
    }
    entries = [
        *({"path": path, **rights, "mode": "0755"} for path in wanted.get("folders", [])),
        *(
            {"path": path, **rights, "mode": "0644", "sha256": digest}
            for path, digest in files.items()
        ),
        *({"path": path, "target": to} for path, to in wanted.get("links", {}).items()),
    ]
    return all(there.get(str(entry["path"])) == entry for entry in entries) and all(
        _is_looked_at(pattern)
        and not any(PurePosixPath(path).match(pattern) for path in there if path not in files)
        for pattern in wanted.get("stale", [])
    )


def _is_looked_at(pattern: str) -> bool:
    """Return whether the facts name all that a pattern matches."""
    return pattern in PLACES or (
        "*" not in pattern and any(PurePosixPath(pattern).match(place) for place in PLACES)
    )
