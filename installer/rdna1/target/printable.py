"""The one filter for what others have named, before it reaches a terminal or an error line.

Names of files, users and packages, and strings of a mirror or of a remote may hold anything: line
breaks that forge a line of a report, sequences that steer the terminal, marks that turn the
direction of the text after them.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape all that is not a visible character or a plain space, as Python writes it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Escape the same, but keep the lines of a text that a tool of ours has laid out."""
    return "\n".join(map(printable, text.split("\n")))
