"""What a remedy can do besides helping, said with the remedy whoever gives it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Harm(NamedTuple):
    """A kind of harm.

    Attributes:
        id: its name.
        deed: in a remedy, what can do it.
        said: matches a remedy that says so itself.
        warning: the sentence for one that does not.
    """

    id: str
    deed: re.Pattern[str]
    said: re.Pattern[str]
    warning: str


HARMS: Final = (
    Harm(
        "packages",
        re.compile(r"\bapt(?:-get)? (?:purge|remove|autoremove)\b|\bdpkg --(?:remove|purge)\b"),
        re.compile("removes packages"),
        "This removes packages, and with apt what depends on them: it lists them first, so say no "
        "where it names more than you can do without.",
    ),
    Harm(
        "boot",
        re.compile(
            r"\bupdate-(?:initramfs|grub)\b|\bkernelstub\b|\bapt install linux-"
            r"|\bdkms autoinstall\b|\bmokutil\b|\bBoot (?:a|the)\b|\bbuild this one\b"
            r"|\bBuild AMD's driver\b"
        ),
        re.compile("hangs at boot|does not boot"),
        "Keep the present kernel installed and know how to choose it: where the machine does not "
        "boot or shows nothing, take it in the boot menu (advanced options).",
    ),
    Harm(
        "screen",
        re.compile(r"\bin the (?:firmware|BIOS)\b"),
        re.compile("stays dark"),
        "A monitor on what is switched off stays dark: connect it to the card first.",
    ),
    Harm(
        "session",
        re.compile(r"\bmodprobe (?:-r )?amdgpu\b|\brmmod\b"),
        re.compile("graphical session"),
        "On a desktop it can end the graphical session: save your work first.",
    ),
    Harm(
        "files",
        re.compile(r"\brm (?:-r )?/"),
        re.compile("again|no copy"),
        "There is no copy of what is deleted.",
    ),
)


def with_harm(remedy: str) -> str:
    """Return a remedy that says what it can do besides helping."""
    warnings = [
        harm.warning for harm in HARMS if harm.deed.search(remedy) and not harm.said.search(remedy)
    ]
    if not warnings:
        return remedy
    return " ".join([f"{remedy.rstrip('.')}.", *warnings])
