"""JSON for programs, indented so that people can read it too."""

from __future__ import annotations

import msgspec


def to_json(value: object) -> str:
    """Write a structure or plain data as indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
