"""The RDNA1 boards by PCI id (``cards.yml`` names the sources)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from rdna1.yaml_data import load


class Chip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One RDNA1 chip.

    Attributes:
        name: AMD's code name, for example ``Navi 10``.
        gfx_target: LLVM's processor name, for example ``gfx1010``.
        boards: PCI device id (four hex digits) to board name.
    """

    name: str
    gfx_target: str
    boards: dict[str, str]


class CardList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All RDNA1 chips of one PCI vendor (four hex digits)."""

    vendor: str
    chips: list[Chip]

    def find(self, vendor: str, device: str) -> tuple[Chip, str] | None:
        """Chip and board name of a PCI vendor and device id, or None if it is not RDNA1."""
        if vendor != self.vendor:
            return None
        return next(((c, c.boards[device]) for c in self.chips if device in c.boards), None)


@cache
def card_list() -> CardList:
    """Load ``cards.yml``.

    Raises:
        rdna1.yaml_data.DataFileError: the file is damaged.
    """
    return load(Path(__file__).with_name("cards.yml"), CardList)
