"""Paragraphs of ``Field: value`` lines, as apt's sources and preferences have them (deb822(5))."""

from __future__ import annotations

from typing import Dict, Iterator, Tuple

Paragraph = Tuple[int, Dict[str, str]]


def paragraphs(text: str) -> Iterator[Paragraph]:
    """Yield the first line's number and the fields of each paragraph.

    Field names are lower case. Lines of a value that goes on stay apart, without their
    indent and without the dot that stands for an empty one.
    """
    fields: dict[str, str] = {}
    first, name = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield first, fields
            fields, name = {}, ""
        elif line[0] in " \t":
            if name:
                fields[name] += "\n" + ("" if line.strip() == "." else line.strip())
        elif ":" in line:
            first = first if fields else number
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    if fields:
        yield first, fields
