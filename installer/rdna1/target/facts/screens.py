"""What a reset of a card would end: monitors that cards drive, and graphical sessions."""

from __future__ import annotations

import re

from ..rootfs import RootFs, UnreadableError

_CARDS = "/sys/class/drm"
# cardN-CONNECTOR, as in card0-HDMI-A-1 (drivers/gpu/drm/drm_sysfs.c).
_CONNECTOR = re.compile(r"(card[0-9]+)-(.+)")
_CARD = re.compile(r"card[0-9]+")
_ID = re.compile(r"0x([0-9a-f]{1,4})", re.IGNORECASE)
# Files that systemd-logind and elogind keep, one a session; sd_session_get_type(3).
_SESSIONS = "/run/systemd/sessions"
_GRAPHICAL = ("x11", "wayland", "mir")


def drm_cards(rootfs: RootFs) -> list[dict[str, str | None]]:
    """Return cards that the kernel draws with.

    ``name``, and ``vendor``, ``device``, ``slot`` or None.

    The ids are four hex digits, as on the PCI bus; the slot is the place there.
    """
    return [_card(rootfs, name) for name in _names(rootfs, _CARDS) if _CARD.fullmatch(name)]


def monitors(rootfs: RootFs) -> list[dict[str, str | None]]:
    """Return connectors with a monitor: ``connector``, and of its card what `drm_cards` says."""
    found = []
    for name in _names(rootfs, _CARDS):
        match = _CONNECTOR.fullmatch(name)
        if match and _text(rootfs, f"{_CARDS}/{name}/status").strip() == "connected":
            found.append({**_card(rootfs, match[1]), "connector": match[2]})
    return found


def graphical_sessions(rootfs: RootFs) -> list[dict[str, str]]:
    """Return graphical sessions of users at the machine itself: ``user`` and ``type``."""
    found = []
    for name in _names(rootfs, _SESSIONS):
        lines = _text(rootfs, f"{_SESSIONS}/{name}").splitlines()
        session = dict(line.partition("=")[::2] for line in lines)
        at_home = session.get("REMOTE", "0") != "1" and session.get("STATE") != "closing"
        # A greeter has nothing to lose.
        of_user = session.get("CLASS", "user").startswith("user")
        if session.get("TYPE") in _GRAPHICAL and at_home and of_user:
            user = session.get("USER") or f"user {session.get('UID', 'unknown')}"
            found.append({"user": user, "type": session["TYPE"]})
    return found


def _card(rootfs: RootFs, name: str) -> dict[str, str | None]:
    folder = f"{_CARDS}/{name}/device"
    try:
        slot = rootfs.link_name(folder)
    except UnreadableError:
        slot = None
    return {
        "name": name,
        "slot": slot,
        "vendor": _id(rootfs, f"{folder}/vendor"),
        "device": _id(rootfs, f"{folder}/device"),
    }


def _id(rootfs: RootFs, path: str) -> str | None:
    match = _ID.fullmatch(_text(rootfs, path).strip())
    return match[1].lower().rjust(4, "0") if match else None


def _names(rootfs: RootFs, folder: str) -> list[str]:
    try:
        return rootfs.names(folder)
    except UnreadableError:
        return []


def _text(rootfs: RootFs, path: str) -> str:
    """Return content of a file, empty where there is none or none that can be read."""
    try:
        return rootfs.text(path)
    except UnreadableError:
        return ""
