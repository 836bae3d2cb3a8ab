"""The matrix of stacks, releases and cards, as text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rdna1.catalog.stacks import Support
from rdna1.preflight.matrix import Matrix, MatrixEntry
from rdna1.report.console import as_text

_STYLES: Final[dict[Support, str]] = {
    "supported": "green",
    "community": "yellow",
    "refused": "bold red",
}
_MEANINGS: Final[dict[Support, str]] = {
    "supported": "made for it",
    "community": "works for users, nobody promises it",
    "refused": "nothing is installed",
}


def matrix_text(matrix: Matrix, *, width: int, colour: bool) -> str:
    """Write the matrix as text.

    Args:
        matrix: all entries.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.

    Returns:
        For the cards that are served alike: a table of releases and stacks, and the reasons.
    """
    parts: list[RenderableType] = []
    for section in _sections(matrix):
        parts += [Text(section.title, "bold"), "", _grid(matrix, section), ""]
        parts += map(_note, section.notes)
    legend = [f"{support}: {meaning}" for support, meaning in _MEANINGS.items()]
    return as_text(*parts, *legend, width=width, colour=colour)


def matrix_markdown(matrix: Matrix) -> str:
    """Write the matrix as Markdown for the documentation."""
    lines: list[str] = []
    for section in _sections(matrix):
        lines += [f"{section.title}:", ""]
        lines += [_row("release", *(f"`{name}`" for name in matrix.stacks))]
        lines += ["|" + "---|" * (len(matrix.stacks) + 1)]
        lines += [_row(name, *(e.support for e in row)) for name, row in section.rows.items()]
        lines += ["", *(_bullet(note) for note in section.notes), ""]
    legend = (f"*{support}*: {meaning}" for support, meaning in _MEANINGS.items())
    return "\n".join([*lines, "; ".join(legend) + ".", ""])


class _Section(msgspec.Struct, frozen=True):
    """Cards that are served alike; ``rows`` holds for each release the entries by stack."""

    title: str
    rows: dict[str, list[MatrixEntry]]
    notes: list[MatrixEntry]


def _sections(matrix: Matrix) -> list[_Section]:
    alike: dict[tuple[tuple[object, ...], ...], list[str]] = {}
    for card in matrix.cards:
        entries = [e for e in matrix.entries if e.gfx_target == card.gfx_target]
        key = tuple((e.support, *e.reasons, e.remedy) for e in entries)
        alike.setdefault(key, []).append(card.gfx_target)
    chips = {card.gfx_target: f"{card.gfx_target} ({card.chip})" for card in matrix.cards}
    return [
        _section([e for e in matrix.entries if e.gfx_target == targets[0]], map(chips.get, targets))
        for targets in alike.values()
    ]


def _section(entries: list[MatrixEntry], cards: Iterable[str | None]) -> _Section:
    rows: dict[str, list[MatrixEntry]] = {}
    for entry in entries:
        rows.setdefault(entry.release, []).append(entry)
    notes = [entry for entry in entries if entry.reasons]
    title = ", ".join(filter(None, cards))
    return _Section(title, rows, notes)


def _grid(matrix: Matrix, section: _Section) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("release", *matrix.stacks):
        table.add_column(heading)
    for name, row in section.rows.items():
        table.add_row(name, *(Text(entry.support, _STYLES[entry.support]) for entry in row))
    return table


def _note(entry: MatrixEntry) -> Padding:
    details = Table.grid(padding=(0, 1, 0, 0))
    details.add_column(no_wrap=True, min_width=2)
    details.add_column(overflow="fold")
    for reason in entry.reasons:
        details.add_row("-", Text(reason))
    if entry.remedy:
        details.add_row(Text("=>", "cyan"), Text(entry.remedy, "cyan"))
    heading = Text(f"{entry.stack} on {entry.release}: ")
    heading.append(entry.support, _STYLES[entry.support])
    return Padding(Group(heading, details), (0, 0, 1, 0))


def _bullet(entry: MatrixEntry) -> str:
    why = " ".join([*entry.reasons, entry.remedy]).strip()
    return f"- `{entry.stack}` on {entry.release}: {entry.support}. {why}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
