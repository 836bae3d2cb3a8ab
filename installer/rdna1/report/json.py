"""JSON for programs, indented so that users can read it too."""

from __future__ import annotations

import msgspec

from rdna1.target.printable import printable_json


def to_json(value: object) -> str:
    """Write a structure or plain data as indented JSON with a newline at the end.

    What could steer a terminal is escaped; a program reads the same from it.
    """
    return printable_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()) + "\n"
