"""What was measured before: the envelopes of the machine and of users who did without root."""

from __future__ import annotations

from . import accounts
from .reader import Reader
from .unknown import Unknown

_SYSTEM = "/etc/rdna1/envelope.json"
_USER = ".config/rdna1/envelope.json"


def envelopes(reader: Reader, names: tuple[str, ...], unknown: Unknown) -> list[dict[str, object]]:
    """``path`` and ``content`` of each, as it is in the file.

    Args:
        reader: of the machine.
        names: users who were asked about, see `accounts.homes`.
        unknown: gets the reason for each that cannot be read.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    homes = accounts.open_homes(reader, names, unknown, "envelopes")
    paths = [_SYSTEM, *(f"{home}/{_USER}" for home in homes)]
    found = [(path, unknown.ask(f"envelopes.{path}", reader.optional_text, path)) for path in paths]
    return [{"path": path, "content": content} for path, content in found if content is not None]
