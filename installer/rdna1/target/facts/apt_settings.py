"""Settings of apt (apt.conf(5)): the proxies it downloads through."""

from __future__ import annotations

import re
from typing import Iterator, Tuple

from ..credentials import without_credentials
from ..rootfs import RootFs
from .unknown import Unknown

_FILE = "/etc/apt/apt.conf"
_FOLDER = "/etc/apt/apt.conf.d"
# Other names in the folder are ignored by apt.
_NAME = re.compile(r"[\w-]+|[\w.-]+\.conf", re.ASCII)
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z)|\#[^\n]*) | "(?P<text>[^"\n]*)"
    | (?P<mark>[{};]) | (?P<word>[^\s{};"]+)""",
    re.VERBOSE | re.DOTALL,
)
_PROXY = re.compile(r"Acquire::(?:\w+::)?Proxy(?:-?Auto-?Detect)?(?:::.*)?", re.IGNORECASE)

Setting = Tuple[int, str, str]


def proxies(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return ``name``, ``value`` (without passwords), ``file`` and ``line`` of each proxy setting.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each file that cannot be read.

    Raises:
        UnreadableError: the folder of the settings cannot be read.
    """
    names = [name for name in rootfs.optional_names(_FOLDER) if _NAME.fullmatch(name)]
    # In apt's order: the last one counts.
    paths = (*(f"{_FOLDER}/{name}" for name in names), _FILE)
    found: list[dict[str, object]] = []
    for path in paths:
        text = unknown.collect(f"apt.proxies.{path}", rootfs.optional_text, path) or ""
        found += [
            {"name": name, "value": without_credentials(value), "file": path, "line": line}
            for line, name, value in settings(text)
            if _PROXY.fullmatch(name)
        ]
    return found


def settings(text: str) -> Iterator[Setting]:
    """Yield line, full name and value of each setting, be it ``A::B "x";`` or ``A { B "x"; };``."""
    scopes: list[str] = []
    words: list[str] = []
    line, position = 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", position, token.start())
        position = token.start()
        if token["mark"] == "{":
            scopes.append(words[0] if words else "")
        elif token["mark"] == "}":
            del scopes[-1:]
        elif token["mark"] and len(words) == 2:
            yield line, "::".join([*scopes, words[0]]), words[1]
        elif not token["mark"]:
            if not token["comment"]:
                words.append(token["text"] if token["word"] is None else token["word"])
            continue
        words = []
