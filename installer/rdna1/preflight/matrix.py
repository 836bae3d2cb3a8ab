"""What every stack promises for every release and every RDNA1 card."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from rdna1.catalog.cards import CardList
from rdna1.catalog.stacks import RocmSource, Stack, Support, release_name


class MatrixEntry(msgspec.Struct, frozen=True):
    """One stack on one release with one card.

    Attributes:
        stack: name of the stack.
        os: ``ID`` of os-release.
        version: ``VERSION_ID`` of os-release.
        gfx_target: of the card.
        support: ``supported``, ``community`` (works, nobody promises it) or ``refused``.
        rocm_source: where ROCm's packages come from, None where the support is ``refused``.
        reasons: why the support is what it is.
        remedy: what to do instead; empty when there is nothing to do.
    """

    stack: str
    os: str
    version: str
    gfx_target: str
    support: Support
    rocm_source: RocmSource | None
    reasons: list[str]
    remedy: str

    @property
    def release(self) -> str:
        """Name of the release for users."""
        return release_name(self.os, self.version)


class MatrixCard(msgspec.Struct, frozen=True):
    """Cards with one gfx target; ``chip`` is AMD's code name."""

    gfx_target: str
    chip: str


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """All stacks on all releases that a stack names, with all RDNA1 cards."""

    schema_version: Literal[1] = 1
    stacks: dict[str, str]
    cards: list[MatrixCard]
    entries: list[MatrixEntry]


def matrix(stacks: Iterable[Stack], cards: CardList) -> Matrix:
    """Put together what the stacks say, and what they do not say.

    Args:
        stacks: in the order in which they are shown.
        cards: the RDNA1 chips.

    Returns:
        An entry for each card, release and stack, in this order of nesting. ``stacks`` maps
        names to titles. Newer releases of a system come first.
    """
    listed = list(stacks)
    return Matrix(
        stacks={stack.name: stack.title for stack in listed},
        cards=[MatrixCard(chip.gfx_target, chip.name) for chip in cards.chips],
        entries=[
            _entry(stack, listed, os, version, chip.gfx_target)
            for chip in cards.chips
            for os, version in _releases(listed)
            for stack in listed
        ],
    )


def _releases(stacks: list[Stack]) -> list[tuple[str, str]]:
    """Return all releases that a stack names, those of one system together, the newest first."""
    systems = list(dict.fromkeys(release.os for stack in stacks for release in stack.releases))
    named = {(release.os, release.version) for stack in stacks for release in stack.releases}

    def place(release: tuple[str, str]) -> tuple[int, list[int]]:
        os, version = release
        return systems.index(os), [-int(part) for part in version.split(".")]

    return sorted(named, key=place)


def _entry(
    stack: Stack, stacks: list[Stack], os: str, version: str, gfx_target: str
) -> MatrixEntry:
    release = stack.release(os, version)
    reasons = list(release.reasons) if release else [f"It is for {stack.offered_releases} only."]
    serves_card = gfx_target in stack.gfx_targets
    if not serves_card:
        reasons.append(f"It has nothing for {gfx_target}.")
    if release and serves_card:
        remedy = release.remedy
    else:
        remedy = _elsewhere(stacks, os, version, gfx_target)
    support = release.support if release and serves_card else "refused"
    return MatrixEntry(
        stack=stack.name,
        os=os,
        version=version,
        gfx_target=gfx_target,
        support=support,
        rocm_source=release.rocm_source if release and support != "refused" else None,
        reasons=reasons,
        remedy=remedy,
    )


def _elsewhere(stacks: list[Stack], os: str, version: str, gfx_target: str) -> str:
    """Return the stacks that do go there; nothing where none does."""
    names = [
        stack.name
        for stack in stacks
        for release in [stack.release(os, version)]
        if release and release.support != "refused" and gfx_target in stack.gfx_targets
    ]
    return f"Use the stack {' or '.join(names)} there." if names else ""
