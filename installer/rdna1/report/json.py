"""JSON for programs, indented so that people can read it too."""

from __future__ import annotations

import re

import msgspec

# JSON itself escapes what is before the space.
_PERHAPS_STEERING = re.compile(r"[^\n\x20-\x7e]")


def to_json(value: object) -> str:
    """Write a structure or plain data as indented JSON with a newline at the end.

    What could steer a terminal is escaped; a program reads the same from it.
    """
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return _PERHAPS_STEERING.sub(_escaped, text) + "\n"


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character.isprintable():
        return character
    # In units of UTF-16, as JSON has it.
    return "".join(f"\\u{unit:04x}" for unit in memoryview(character.encode("utf-16-le")).cast("H"))
