"""Renders rich's tables and texts as plain or coloured text."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

from rdna1.target.printable import printable as printable


def as_text(*parts: RenderableType, width: int, colour: bool) -> str:
    """Render parts one below the other.

    Args:
        parts: what to render.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.

    Returns:
        Lines without spaces at their ends.
    """
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())
