"""Finds assignments in shell text, near enough to a shell without being one."""

from __future__ import annotations

import itertools
import re
from typing import Iterator, NamedTuple

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


# Commands that give their assignments to other programs; declare does so with -x.
_EXPORTERS = frozenset(["export", "env", "sudo"])
_DECLARERS = frozenset(["declare", "typeset"])
_NAME = re.compile(r"[A-Za-z_]\w*")
_OPTION_X = re.compile(r"-[A-Za-z]*x[A-Za-z]*")
_ALL_ON = frozenset(["-a", "allexport"])


class Assignment(NamedTuple):
    """One assignment: ``exported`` where other programs get it at once."""

    name: str
    value: str
    exported: bool


def assignments(line: str) -> Iterator[tuple[str, str]]:
    """Yield name and unquoted value of each assignment in one line of shell text.

    ``A=1``, ``export A=1 B=2``, ``[ -n "$x" ] && A=1 command`` are assignments; comments
    and arguments such as ``echo A=1`` are none. Expansions stay as they are written.
    """
    for words in _commands(line):
        for name, value, _ in _of_command(words):
            yield name, value


def exported(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and value of each assignment in a script that other programs get.

    A plain ``A=1`` is among them where the script exports ``A`` before or after, or switched
    ``set -a`` on.
    """
    found: list[tuple[int, Assignment]] = []
    names: set[str] = set()
    all_exported = False
    for number, line in enumerate(text.splitlines(), 1):
        for words in _commands(line):
            names.update(_exported_names(words))
            if words[:1] in (["set"], ["setopt"]):
                all_exported = bool(_ALL_ON & set(words[1:]))
            found += [
                (number, each._replace(exported=each.exported or all_exported))
                for each in _of_command(words)
            ]
    for number, each in found:
        if each.exported or each.name in names:
            yield number, each.name, each.value


def _commands(line: str) -> Iterator[list[str]]:
    """Yield words of each simple command in a line, without what only opens a block."""
    words: list[str] = []
    for token in _TOKEN.finditer(line):
        if token["word"] is not None:
            if words or token["word"] not in _OPENERS:
                words.append(token["word"])
        elif words:
            yield words
            words = []
    if words:
        yield words


def _of_command(words: list[str]) -> Iterator[Assignment]:
    """Yield the assignments of one command: those before it, and those that are its arguments."""
    before = list(itertools.takewhile(_ASSIGNMENT.fullmatch, words))
    rest = words[len(before) :]
    yield from (_assignment(word, exported=bool(rest)) for word in before)
    if rest and rest[0] in _SETTERS:
        is_declared = rest[0] in _DECLARERS and any(map(_OPTION_X.fullmatch, rest[1:]))
        shown = rest[0] in _EXPORTERS or is_declared
        arguments = filter(_ASSIGNMENT.fullmatch, rest[1:])
        yield from (_assignment(word, exported=shown) for word in arguments)


def _exported_names(words: list[str]) -> Iterator[str]:
    """Yield variables that a command exports as they are."""
    if words[0] == "export" or (
        words[0] in _DECLARERS and any(map(_OPTION_X.fullmatch, words[1:]))
    ):
        yield from filter(_NAME.fullmatch, words[1:])


def _assignment(word: str, *, exported: bool) -> Assignment:
    name, _, value = word.partition("=")
    return Assignment(name, unquote(value), exported)


def unquote(word: str) -> str:
    """Take quotes and backslashes off a word as a shell does."""

    def plain(match: re.Match[str]) -> str:
        if match["double"] is not None:
            return re.sub(r'\\([\\"$`])', r"\1", match["double"])
        return match["single"] if match["single"] is not None else match["plain"]

    return _QUOTED.sub(plain, word)
