"""What stays of an envelope file that is written again."""

from __future__ import annotations

import msgspec

from rdna1.measure.envelope import Envelope, Routes, changes

_ROUTES = Routes.__struct_fields__


def renewed(earlier: str, found: Envelope) -> Envelope:
    """Return the envelope to keep after another look: the earlier one if only its date differs.

    Args:
        earlier: content of the file so far; anything but an envelope of this version is dropped.
        found: what was measured or is documented. A documented limit does not replace one that
            was measured with the same stack.
    """
    kept = _read(earlier.encode())
    if kept is None:
        return found
    if found.source == "stack" and kept.source == "measured":
        return kept if kept.measured.stack == found.measured.stack else found
    found, _ = with_routes(earlier.encode(), found)
    dated = msgspec.structs.replace(found.measured, date=kept.measured.date)
    return kept if msgspec.structs.replace(found, measured=dated) == kept else found


def with_routes(earlier: bytes, found: Envelope) -> tuple[Envelope, list[str]]:
    """Add the routes of the file so far that were not measured again, where they still hold.

    Args:
        earlier: content of the file so far; of anything but an envelope nothing stays.
        found: what was measured.

    Returns:
        The envelope to write, and where the routes of the file do not hold any more what is
        different now.
    """
    kept = _read(earlier)
    if kept is None or not kept.routes:
        return found, []
    different = changes(kept, found.measured)
    if different:
        return found, different
    again = found.routes or Routes()
    both = {name: getattr(again, name) or getattr(kept.routes, name) for name in _ROUTES}
    return msgspec.structs.replace(found, routes=Routes(**both)), []


def _read(content: bytes) -> Envelope | None:
    try:
        return msgspec.json.decode(content, type=Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
