"""What the wheels of a stack depend on: a machine's Python and its card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rdna1.catalog.cards import CardList
from rdna1.catalog.pytorch import Pytorch

# This package is in every environment, and runs on nothing older.
_OWN: Final = ">=3.10"
_MAIN: Final = "/usr/bin/python3"


class ChoiceError(Exception):
    """Nothing to choose, or too much; the message holds the remedy."""


class Python(NamedTuple):
    """A Python for an environment: ``path`` is empty for one that uv manages."""

    version: str
    path: str


def choose_python(found: Iterable[Mapping[str, str]], pytorch: Pytorch) -> Python:
    """Return the system's Python where one fits the wheels, else the stack's choice, managed by uv.

    Args:
        found: ``path`` and ``version`` of the system's Pythons, as ``rdna1.target.facts`` finds
            them.
        pytorch: of the stack.

    Returns:
        The system's own ``python3`` before any other, then the newest.
    """
    wanted = SpecifierSet(pytorch.python) & SpecifierSet(_OWN)
    fitting = [
        Python(python["version"], python["path"])
        for python in found
        if wanted.contains(python["version"])
    ]
    managed = Python(pytorch.managed_python, "")
    return max(fitting, key=lambda p: (p.path == _MAIN, Version(p.version)), default=managed)


def choose_gfx_target(displays: Iterable[Mapping[str, str]], cards: CardList) -> str:
    """Return the gfx target of the machine's RDNA1 card.

    Args:
        displays: ``vendor`` and ``device`` of each, as ``rdna1.target.facts`` finds them.
        cards: the RDNA1 chips.

    Raises:
        ChoiceError: there is no such card, or there are cards of different chips.
    """
    matches = [cards.find(display["vendor"], display["device"]) for display in displays]
    targets = sorted({match[0].gfx_target for match in matches if match})
    if len(targets) == 1:
        return targets[0]
    cause = f"cards of different chips ({', '.join(targets)})" if targets else "no RDNA1 card"
    known = ", ".join(chip.gfx_target for chip in cards.chips)
    raise ChoiceError(
        f"the stack's wheels are made for one gfx target, and this machine has {cause}. "
        f"Remedy: name one with pytorch_gfx_target ({known})"
    )
