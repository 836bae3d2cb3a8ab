"""uv's settings for one index, in place of those that are on the machine."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping


def settings(index_url: str, sources: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return the content of a uv.toml.

    What source distributions depend on is said in it: uv runs no code of theirs to find out.

    Args:
        index_url: the one index; empty for PyPI.
        sources: ``name``, and where they have any ``requires`` and ``extras``, of each.
    """
    text = ""
    for source in sources:
        text += (
            "[[dependency-metadata]]\n"
            f"name = {json.dumps(source['name'])}\n"
            f"requires-dist = {json.dumps(list(source.get('requires', [])))}\n"
            f"provides-extra = {json.dumps(list(source.get('extras', [])))}\n"
        )
    if index_url:
        # AMD's index, as others in S3, answers 403 for what it lacks. uv takes it for a refusal.
        text += (
            f"[[index]]\nurl = {json.dumps(index_url)}\ndefault = true\n"
            "ignore-error-codes = [403]\n"
        )
    return text


def only_wheels(sources: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    """Return the options of uv that take wheels alone, but source distributions of these."""
    names = [source["name"] for source in sources]
    return ["--only-binary", ":all:", *(word for name in names for word in ("--no-binary", name))]
