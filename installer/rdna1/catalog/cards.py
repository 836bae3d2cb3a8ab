"""The RDNA1 boards by PCI id (``cards.yml`` names the sources)."""

from __future__ import annotations

from functools import cache

import msgspec

from rdna1.catalog.yaml_data import DATA, load


class FirstKernel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first kernel (``major.minor``) that starts a chip, and that offers it for computing."""

    driver: str
    compute: str


class Chip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One RDNA1 chip.

    Attributes:
        name: AMD's code name, for example ``Navi 10``.
        gfx_target: LLVM's processor name, for example ``gfx1010``.
        boards: PCI device id (four hex digits) to board name.
        first_kernel: that knows the chip.
        revisions: PCI device id to the names of its revisions (two hex digits).
        workstation: PCI device id of the boards with firmware of their own to the revisions that
            have it, none for all.
    """

    name: str
    gfx_target: str
    boards: dict[str, str]
    first_kernel: FirstKernel = FirstKernel(driver="0.0", compute="0.0")
    revisions: dict[str, dict[str, str]] = {}
    workstation: dict[str, list[str]] = {}

    def has_workstation_firmware(self, device: str, revision: str | None) -> bool:
        """Say whether a board loads the firmware of workstation cards; unknown revisions do not."""
        revisions = self.workstation.get(device)
        return revisions is not None and (not revisions or revision in revisions)


class CardList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All RDNA1 chips of one PCI vendor (four hex digits).

    ``integrated`` holds the device ids of graphics inside processors.
    """

    vendor: str
    chips: list[Chip]
    integrated: list[str] = []

    def find(
        self, vendor: str, device: str, revision: str | None = None
    ) -> tuple[Chip, str] | None:
        """Return chip and board name of a PCI device, or None if it is not RDNA1.

        Args:
            vendor: its PCI vendor id.
            device: its PCI device id.
            revision: its PCI revision, which may name the board more exactly.
        """
        chip = next((c for c in self.chips if device in c.boards), None)
        if vendor != self.vendor or chip is None:
            return None
        names = chip.revisions.get(device, {})
        return chip, names.get(revision or "", chip.boards[device])


@cache
def card_list() -> CardList:
    """Load ``cards.yml``.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: the file is damaged.
    """
    return load(DATA / "cards.yml", CardList)
