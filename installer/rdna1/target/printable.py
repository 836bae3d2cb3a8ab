"""The one filter for what others have named, before it reaches a terminal or an error line.

Names of files, users and packages, and strings of a mirror or of a remote may hold anything: line
breaks that forge a line of a report, sequences that steer the terminal, marks that turn the
direction of the text after them.
"""

from __future__ import annotations

import re

# JSON itself escapes what is before the space.
_PERHAPS_STEERING = re.compile(r"[^\n\x20-\x7e]")


def printable(text: str) -> str:
    """Escape all that is not a visible character or a plain space, as Python writes it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Escape the same, but keep the lines of a text that a tool of ours has laid out."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    """Escape the same in JSON, as JSON has it: a program reads the same from it."""
    return _PERHAPS_STEERING.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character.isprintable():
        return character
    # In units of UTF-16.
    return "".join(f"\\u{unit:04x}" for unit in memoryview(character.encode("utf-16-le")).cast("H"))
