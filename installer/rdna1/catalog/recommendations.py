"""What an owner can do apart from choosing a stack (``recommendations.yml`` names the sources)."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

import msgspec

from rdna1.catalog.yaml_data import DATA, load

CardKind = Literal["rdna1", "newer", "other", "none", "unknown"]
Found = Literal["everything-works", "limit", "unclear", "nothing-works"]
Line = Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^\n]+$")]
Lines = Annotated[list[Line], msgspec.Meta(min_length=1)]


class Recommendation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to go.

    Attributes:
        id: its name for programs.
        title: what to do, in a few words.
        cards: kinds of cards of the machines that it is for; ``newer`` is RDNA2 and later,
            ``other`` any other AMD card or the graphics of a processor.
        after: results of a measurement that it answers.
        best_for: whose case it suits.
        how: what to do, in a sentence or two; ``{gfx_target}`` stands for the card's.
        gains: what speaks for it.
        costs: what speaks against it.
        sources: documents, files and issues behind it.
        stack: name of the stack that it means, if it means one.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9.-]+$")]
    title: Line
    cards: Annotated[list[CardKind], msgspec.Meta(min_length=1)]
    after: Annotated[list[Found], msgspec.Meta(min_length=1)]
    best_for: Line
    how: Line
    gains: Lines
    costs: Lines
    sources: Lines
    stack: str | None = None


@cache
def recommendations() -> list[Recommendation]:
    """Load ``recommendations.yml``.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: the file is damaged.
    """
    return load(DATA / "recommendations.yml", list[Recommendation])
