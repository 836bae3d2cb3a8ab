"""Values of 10 MB: what a file that is not a text, or a broken program, can hold in one line."""

from __future__ import annotations

LENGTH = 10_000_000


class LongValue(str):
    """A text that a failed test shows in short."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{self[:12]!r} and so on, {len(self)} characters"


def _long(beginning: str, piece: str) -> LongValue:
    return LongValue(beginning + piece * (LENGTH // len(piece)))


# Word, number, version, path, quotes, and a package whose version is such a number.
LONG_VALUES = (
    _long("", "x"),
    _long("", "9"),
    _long("", "1."),
    _long("", "/a"),
    _long("A=", "\"'"),
    _long(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: ",
        "9",
    ),
)
