"""Advice as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rdna1.preflight.advice import Advice, Alternative, CardAdvice, Fit, StackAdvice
from rdna1.preflight.model import Finding
from rdna1.report.console import as_text, printable

_FITS: Final[dict[Fit, tuple[str, str]]] = {
    "ready": ("can be installed", "green"),
    "warned": ("can be installed, with warnings", "yellow"),
    "after-repair": ("refused now, can go after repair", "yellow"),
    "impossible": ("refused", "bold red"),
}


def advice_text(advice: Advice, *, width: int, colour: bool) -> str:
    """Write advice as text: the machine, the advice, every stack, what else can be done.

    Args:
        advice: for one machine.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
    """
    parts: list[RenderableType] = [
        Text(f"{printable(advice.machine)}, {_card(advice.card)}"),
        "",
        Text(advice.summary, "bold"),
        "",
    ]
    if advice.card.kind in ("rdna1", "unknown"):
        parts += map(_stack, advice.stacks)
    if advice.alternatives:
        parts += [Text("What else can be done", "bold"), ""]
        parts += map(_alternative, advice.alternatives)
    return as_text(*parts, width=width, colour=colour)


def _card(card: CardAdvice) -> str:
    target = f", {card.gfx_target}" if card.gfx_target else ""
    return printable(f"{card.name}{target}")


def _stack(advice: StackAdvice) -> RenderableType:
    words, style = _FITS[advice.fit]
    heading = Text.assemble(f"{advice.stack} ({advice.title}): ", (words, style))
    lines = [line for problem in advice.problems for line in _problem(problem)]
    lines += [("known", line) for line in advice.known]
    lines += [("?", line) for line in advice.unknown]
    return _block(heading, lines)


def _problem(finding: Finding) -> Iterable[tuple[str, str]]:
    yield finding.status.upper(), f"{finding.id}: {finding.summary}"
    for line in finding.evidence:
        yield "-", line
    if finding.remedy:
        yield "=>", finding.remedy


def _alternative(alternative: Alternative) -> RenderableType:
    lines = [("how", alternative.how)]
    if alternative.fit:
        lines.append(("here", f"{alternative.stack}: {_FITS[alternative.fit][0]}"))
    lines += [("+", gain) for gain in alternative.gains]
    lines += [("-", cost) for cost in alternative.costs]
    lines += [("see", "; ".join(alternative.sources))]
    return _block(Text(alternative.title, "underline"), lines)


def _block(heading: Text, lines: Iterable[tuple[str, str]]) -> RenderableType:
    """Return a heading with marked lines below it."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True, min_width=4)
    table.add_column(overflow="fold")
    for mark, line in lines:
        table.add_row(mark, Text(printable(line)))
    parts = [heading, table] if table.rows else [heading]
    return Padding(Group(*parts), (0, 0, 1, 0))
