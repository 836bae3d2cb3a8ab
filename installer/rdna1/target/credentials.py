"""Addresses without the names and passwords of users in them, for all that is told or kept."""

from __future__ import annotations

import re

# Of these what follows is a path, or words in brackets.
_LOCAL = re.compile(r"\s*(?:/(?!/)|(?:[\w+.-]+\+)?(?:file|copy|cdrom):)", re.IGNORECASE)
_START = re.compile(
    r"\s*(?:(?:[\w.-]+\+)?(?:https?|ftp|socks\w*):/*|(?:[a-z][\w+.-]*:)?//+)", re.IGNORECASE
)
_AUTHORITY = re.compile(r"[^/?#]*")
_HOST = re.compile(r"(?:\[[^]]*\]|[^:]*)(?::\d*)?")
_WORD = re.compile(r"\S+")
# Several addresses may be in one word, one of them behind a quote or an equals sign.
_SCHEME = re.compile(r"(?=(?<![\w+.@/-])[A-Za-z][\w+.-]{0,30}://)")
_BARE = re.compile(r"(?<![^\s\"'(<=,])[^\s/:@\"'(<=,]+:[^\s/]*@")


def without_credentials(address: str) -> str:
    """Return an address, such as a URL or a proxy without a scheme, without user and password.

    A password may have an ``@`` in it that nobody escaped, so the last one before the host counts.
    """
    begin, end = _credentials(address)
    return address[:begin] + address[end:]


def credentials_of(address: str) -> str:
    """Return what `without_credentials` takes out, without its ``@``; empty where there is none."""
    begin, end = _credentials(address)
    return address[begin : max(begin, end - 1)]


def _credentials(address: str) -> tuple[int, int]:
    """Return where user, password and ``@`` begin and end; twice the same for none."""
    if _LOCAL.match(address):
        return 0, 0
    start = _START.match(address)
    begin = start.end() if start else 0
    rest = address[begin:]
    authority = _AUTHORITY.match(rest)
    text = authority[0] if authority else ""
    # Neither user nor host and port: a password with a slash in it.
    if "@" not in text and not _HOST.fullmatch(text):
        text = rest
    return begin, begin + text.rfind("@") + 1


def text_without_credentials(text: str) -> str:
    """Return what a program said, each address in it as of `without_credentials`."""
    return _WORD.sub(lambda word: _word_without(word[0]), text)


def _word_without(word: str) -> str:
    first, *addresses = _SCHEME.split(word)
    return "".join([_BARE.sub("", first), *map(without_credentials, addresses)])
