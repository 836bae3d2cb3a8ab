"""What a reset of a card would end: monitors that cards drive, and graphical sessions."""

from __future__ import annotations

import re

from ..rootfs import Reader, UnreadableError

_CARDS = "/sys/class/drm"
# cardN-CONNECTOR, as in card0-HDMI-A-1 (drivers/gpu/drm/drm_sysfs.c).
_CONNECTOR = re.compile(r"(card[0-9]+)-(.+)")
_CARD = re.compile(r"card[0-9]+")
_ID = re.compile(r"0x([0-9a-f]{1,4})", re.IGNORECASE)
# Files that systemd-logind and elogind keep, one a session; sd_session_get_type(3).
_SESSIONS = "/run/systemd/sessions"
_GRAPHICAL = ("x11", "wayland", "mir")


def drm_cards(reader: Reader) -> list[dict[str, str | None]]:
    """Cards that the kernel draws with: ``name``, and ``vendor``, ``device``, ``slot`` or None.

    The ids are four hex digits, as on the PCI bus; the slot is the place there.
    """
    return [_card(reader, name) for name in _names(reader, _CARDS) if _CARD.fullmatch(name)]


def monitors(reader: Reader) -> list[dict[str, str | None]]:
    """Connectors with a monitor: ``connector``, and of its card what `drm_cards` says."""
    found = []
    for name in _names(reader, _CARDS):
        match = _CONNECTOR.fullmatch(name)
        if match and _text(reader, f"{_CARDS}/{name}/status").strip() == "connected":
            found.append({**_card(reader, match[1]), "connector": match[2]})
    return found


def graphical_sessions(reader: Reader) -> list[dict[str, str]]:
    """Graphical sessions of users at the machine itself: ``user`` and ``type``."""
    found = []
    for name in _names(reader, _SESSIONS):
        lines = _text(reader, f"{_SESSIONS}/{name}").splitlines()
        session = dict(line.partition("=")[::2] for line in lines)
        at_home = session.get("REMOTE", "0") != "1" and session.get("STATE") != "closing"
        # A greeter has nothing to lose.
        of_user = session.get("CLASS", "user").startswith("user")
        if session.get("TYPE") in _GRAPHICAL and at_home and of_user:
            user = session.get("USER") or f"user {session.get('UID', 'unknown')}"
            found.append({"user": user, "type": session["TYPE"]})
    return found


def _card(reader: Reader, name: str) -> dict[str, str | None]:
    folder = f"{_CARDS}/{name}/device"
    try:
        slot = reader.link_name(folder)
    except UnreadableError:
        slot = None
    return {
        "name": name,
        "slot": slot,
        "vendor": _id(reader, f"{folder}/vendor"),
        "device": _id(reader, f"{folder}/device"),
    }


def _id(reader: Reader, path: str) -> str | None:
    match = _ID.fullmatch(_text(reader, path).strip())
    return match[1].lower().rjust(4, "0") if match else None


def _names(reader: Reader, folder: str) -> list[str]:
    try:
        return reader.names(folder)
    except UnreadableError:
        return []


def _text(reader: Reader, path: str) -> str:
    """Content of a file, empty where there is none or none that can be read."""
    try:
        return reader.text(path)
    except UnreadableError:
        return ""
