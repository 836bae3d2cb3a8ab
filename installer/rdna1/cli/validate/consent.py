"""What a measurement may do to a desktop: it is said first, asked, and refused without ``--yes``.

A convolution that hangs makes the kernel reset the card (gfx10 resets the whole GPU, never one
queue: drivers/gpu/drm/amd/amdgpu, BACO or MODE1), and every program that draws with it is lost.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from rdna1.catalog.cards import card_list
from rdna1.cli.machine import root_folder
from rdna1.cli.output import ArgumentParser
from rdna1.cli.validate.measured_card import measured_card
from rdna1.target.facts.gpu import displays
from rdna1.target.facts.screens import drm_cards, graphical_sessions, monitors
from rdna1.target.facts.unknown import Unknown
from rdna1.target.printable import printable
from rdna1.target.rootfs import RootFs, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED = 1
# Whose cards torch computes on: AMD's and NVIDIA's.
_VENDORS = ("1002", "10de")
_REMEDY = (
    "Remedy: save your work and run it again with --yes, or measure with no monitor and no "
    "graphical session on the card, over ssh"
)


class Desktop(NamedTuple):
    """What depends on the cards that may be measured.

    Attributes:
        exists: whether there is a card that torch could compute on.
        losses: what would be lost with it, each a sentence's part; empty if nothing would.
        cards: how many RDNA1 cards there are.
    """

    exists: bool
    losses: list[str]
    cards: int = 0


def add_consent(parser: ArgumentParser, yes: str) -> None:
    """Add ``--yes`` and ``--root``.

    Args:
        parser: of a subcommand that provokes hangs.
        yes: what ``--yes`` does.
    """
    parser.add_argument("--yes", action="store_true", help=yes)
    parser.add_argument(
        "--root",
        metavar="DIR",
        help="where to look for monitors and sessions before it starts: a tree of files in place "
        "of this machine's (default: /)",
    )


def may_measure(options: argparse.Namespace, command: str, hangs: int) -> bool:
    """Say what a hang does to a desktop, and find out whether the owner wants it.

    Args:
        options: with ``device``, ``yes`` and ``root``.
        command: the subcommand.
        hangs: most workers that it may lose.

    Returns:
        False where the measurement must not start; why has been said then.

    Raises:
        UsageError: the folder of ``--root`` cannot be read.
    """
    root = root_folder(options)
    if options.device == "cpu" or options.device.startswith("sim:"):
        return True
    rootfs = RootFs(str(root))
    card = measured_card(rootfs, options.device, os.environ)
    desktop = find_desktop(rootfs, card.slot)
    if options.device == "auto" and not desktop.exists:
        return True
    _say(
        f"{command} tries layers that may hang the card, until {hangs} have. After a hang the "
        "kernel resets the card; a reset ends the graphical session, and what is not saved is lost."
    )
    if options.yes:
        return True
    if desktop.losses:
        which = ""
        if desktop.cards > 1 and card.slot is None:
            which = f". Which of the {desktop.cards} cards {options.device} is, is not known"
            which += f": {card.unknown}"
        _say(f"refused: {' and '.join(desktop.losses)}{which}. {_REMEDY}")
        return False
    return _confirmed()


def find_desktop(rootfs: RootFs, slot: str | None = None) -> Desktop:
    """Return what is drawn by the cards that may be measured.

    Where there is an RDNA1 card, others do not matter. A card that does not tell what it is may
    be the one.

    Args:
        rootfs: of the machine.
        slot: of the card that is measured, None where it may be any.
    """
    cards: list[Mapping[str, object]] = [*drm_cards(rootfs), *_on_bus(rootfs)]
    has_rdna1 = any(map(_is_rdna1, cards))

    def matters(card: Mapping[str, object]) -> bool:
        if card["vendor"] is None or (slot is not None and card["slot"] is None):
            return True
        if slot is not None:
            return card["slot"] == slot
        return _is_rdna1(card) if has_rdna1 else card["vendor"] in _VENDORS

    connected = monitors(rootfs)
    driven = list(filter(matters, connected))
    losses = [
        f"a monitor is connected to the card ({screen['slot'] or screen['name']}, "
        f"{screen['connector']})"
        for screen in driven
    ]
    exists = any(map(matters, cards)) or bool(driven)
    # A session without a monitor on any other card is drawn by this one.
    if exists and (driven or not connected):
        losses += [
            f"{session['user']} has a graphical session ({session['type']})"
            for session in graphical_sessions(rootfs)
        ]
    rdna1 = {card["slot"] for card in cards if _is_rdna1(card)}
    return Desktop(exists, losses, len(rdna1))


def _on_bus(rootfs: RootFs) -> list[dict[str, object]]:
    try:
        return displays(rootfs, Unknown())
    except UnreadableError:
        return []


def _is_rdna1(card: Mapping[str, object]) -> bool:
    return card_list().find(str(card["vendor"]), str(card["device"])) is not None


def _confirmed() -> bool:
    """Ask on a terminal; without one the command itself was the answer."""
    if not (sys.stdin and sys.stdin.isatty()):
        return True
    print("Measure now? [y/N] ", file=sys.stderr, end="", flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    _say("nothing was measured")
    return False


def _say(text: str) -> None:
    # Names in it are others' choice.
    print(f"rdna1-validate: {printable(text)}", file=sys.stderr, flush=True)
