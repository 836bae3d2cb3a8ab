"""Finds assignments in shell text, near enough to a shell without being one."""

from __future__ import annotations

import re
from typing import Iterator

_TOKEN = re.compile(
    r"""
    \#.* | [;&|()]+
    | (?P<word>(?:'[^']*' | "(?:\\.|[^"\\])*" | \\. | [^\s;&|()'"\\])+)
    """,
    re.VERBOSE,
)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_QUOTED = re.compile(r"""'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|\\(?P<plain>.)""")
# Words after which a command still begins.
_OPENERS = frozenset(["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"])
# Commands whose arguments are assignments.
_SETTERS = frozenset(["export", "declare", "typeset", "readonly", "local", "env", "sudo"])


def assignments(line: str) -> Iterator[tuple[str, str]]:
    """Yield name and unquoted value of each assignment in one line of shell text.

    ``A=1``, ``export A=1 B=2``, ``[ -n "$x" ] && A=1 command`` are assignments; comments
    and arguments such as ``echo A=1`` are none. Expansions stay as they are written.
    """
    beginning, setting = True, False
    for token in _TOKEN.finditer(line):
        word = token["word"]
        if word is None:
            beginning, setting = True, False
            continue
        assignment = _ASSIGNMENT.fullmatch(word)
        if assignment and (beginning or setting):
            yield assignment[1], unquote(assignment[2])
        elif beginning and word not in _OPENERS:
            beginning, setting = False, word in _SETTERS


def unquote(word: str) -> str:
    """Take quotes and backslashes off a word as a shell does."""

    def plain(match: re.Match[str]) -> str:
        if match["double"] is not None:
            return re.sub(r'\\([\\"$`])', r"\1", match["double"])
        return match["single"] if match["single"] is not None else match["plain"]

    return _QUOTED.sub(plain, word)
