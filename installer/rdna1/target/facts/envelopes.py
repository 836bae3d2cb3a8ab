"""What was measured before: the envelopes of the machine and of users who did without root.

A file in a home holds what its owner likes. So only what an envelope is made of gets into the
facts, which users send to others.
"""

from __future__ import annotations

import json
from typing import Callable

from ...layout import HOME, SYSTEM
from ..printable import printable, printable_json
from ..rootfs import RootFs, UnreadableError
from . import accounts
from .unknown import Unknown

# One of all classes of layers takes up to 200 KiB; files of the form's first version took 1 MiB.
_LARGEST = 2 * 1024 * 1024
_LONGEST = 8192
_LARGEST_NUMBER = 2**63
_MOST = 100
_MOST_LIMITS = 10_000

Shape = Callable[[object], object]


def envelopes(rootfs: RootFs, names: tuple[str, ...], unknown: Unknown) -> list[dict[str, object]]:
    """Return ``path`` and ``content`` of each: JSON of the known fields, in the order of the file.

    Args:
        rootfs: of the machine.
        names: users who were asked about, see `accounts.homes`.
        unknown: gets the reason for each that cannot be read, or is not an envelope.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    homes = accounts.open_homes(rootfs, names, unknown, "envelopes")
    found: list[dict[str, object]] = []
    for path in [SYSTEM.envelope, *(HOME.below(home).envelope for home in homes)]:
        fact = f"envelopes.{path}"
        if unknown.collect(fact, rootfs.exists, path):
            content = unknown.collect(fact, _content, rootfs, path)
            found.append({"path": path, "content": content or "{}\n"})
    return found


def _content(rootfs: RootFs, path: str) -> str:
    """Return the known fields of an envelope.

    As the validation writes them, where the file is just that: it writes it again where it is not.

    Raises:
        UnreadableError: the file cannot be read, or is not an envelope.
    """
    text = rootfs.text(path, _LARGEST)
    try:
        fields = _ENVELOPE(json.loads(text))
    except (ValueError, RecursionError):
        raise UnreadableError(printable(f"{path}: not an envelope")) from None
    written = printable_json(json.dumps(fields, indent=2, ensure_ascii=False)) + "\n"
    return written if written == text else json.dumps(fields) + "\n"


def _text(value: object) -> object:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError
    return value


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    # False for NaN, too, which Python takes for JSON.
    if not abs(value) < _LARGEST_NUMBER:
        raise ValueError
    return value


def _or_null(shape: Shape) -> Shape:
    return lambda value: None if value is None else shape(value)


def _scalar(value: object) -> object:
    return _text(value) if isinstance(value, str) else _number(value)


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _table_of(shape: Shape) -> Shape:
    """Give an object whose names are not known beforehand: variables, or conditions of a limit."""

    def items(value: object) -> object:
        if not isinstance(value, dict) or len(value) > _MOST:
            raise ValueError
        return {_text(name): _or_null(shape)(item) for name, item in value.items()}

    return items


def _condition(value: object) -> object:
    """Return one value, a list of them, or from which to which number."""
    if isinstance(value, dict):
        return _fields_of({"min": _number, "max": _number})(value)
    return _list_of(_scalar)(value) if isinstance(value, list) else _scalar(value)


def _fields_of(shapes: dict[str, Shape]) -> Shape:
    def known(value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError
        return {name: shapes[name](item) for name, item in value.items() if name in shapes}

    return known


def _list_of(shape: Shape, most: int = _MOST) -> Shape:
    def items(value: object) -> object:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError
        return [shape(item) for item in value]

    return items


_KEYS: dict[str, Shape] = {
    "max_side": _or_null(_number),
    "max_workspace_bytes": _or_null(_number),
}
_LIMITS = _list_of(
    _fields_of({"quantity": _text, "max": _or_null(_number), "when": _table_of(_condition)}),
    _MOST_LIMITS,
)
_MEASURED: dict[str, Shape] = {
    **{
        name: _or_null(_text)
        for name in ("device", "gfx_target", "pci_id", "driver", "stack", "torch", "hip", "date")
    },
    "environment": _table_of(_scalar),
}
_ENVELOPE = _fields_of(
    {
        "schema_version": _number,
        **_KEYS,
        "source": _text,
        "measured": _fields_of(_MEASURED),
        "backward": _or_null(_fields_of(_KEYS)),
        "limits": _LIMITS,
        "forms": _list_of(
            _fields_of(
                {"dims": _number, "transposed": _flag, "memory_format": _text, "limits": _LIMITS}
            )
        ),
        "tried": _list_of(
            _fields_of(
                {
                    **dict.fromkeys(("name", "layers", "use"), _text),
                    **dict.fromkeys(("passed", "failed", "side"), _number),
                    "first_failed": _or_null(_text),
                }
            ),
            _MOST_LIMITS,
        ),
        "routes": _or_null(
            _fields_of(dict.fromkeys(("bypass", "matmul"), _or_null(_fields_of(_KEYS))))
        ),
    }
)
