"""Takes lines that set a variable out of a text, where nothing else can break by it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rdna1.target.facts.shell import unquote

# A shell's word without expansions, what may end a command, a value of pam_env.conf.
_PLAIN = r"""(?:'[^']*'|"[^"\\`$]*"|[^\s;&|()<>'"`$\\#])*"""
_END = r"\s*(?:;\s*)?(?:\#.*)?"
_PAM = r"(?:\"[^\"]*\"|\S+)"
_SHELL_WORD = rf"\w+={_PLAIN}"
_UNIT_WORD = r"(?:\"[^\"\\]*\"|'[^'\\]*'|[^\s\"'\\]+)"
# Lines of several settings: the words in them, and the whole.
_LISTS = tuple(
    (
        re.compile(word),
        re.compile(rf"(?P<head>{head})(?P<words>{word}(?:\s+{word})*)(?P<end>{end})"),
    )
    for word, head, end in (
        (_SHELL_WORD, r"\s*(?:export|(?:declare|typeset)\s+-x)\s+", _END),
        (_UNIT_WORD, r"\s*(?:Default|Manager)?Environment\s*=\s*", ""),
    )
)
# Kinds of file in which an empty block, or the end of a line, has no meaning.
_NO_SHELL = re.compile(
    r"/etc/environment|/etc/systemd/.*|.*\.(conf|service|fish)|.*/fish_variables|.*/\.pam_environment"
)
# A shell wants a command behind these.
_OPENS = re.compile(r"(^|.*[\s;])(then|do|else|\{|\()|.*(&&|\|)|.*\(\)\s*\{")


class LineError(Exception):
    """A line that cannot be taken out; the message says why."""


def without(path: str, text: str, name: str, values: Mapping[int, str]) -> str:
    """Return the text without the lines that set a variable.

    In shell files ``:`` stands in for a line that is the first of a block, which might be
    empty without it.

    Args:
        path: of the file; tells what kind it is.
        text: of the file; its line ends stay as they are.
        name: of the variable.
        values: number of each line, from 1, to the value that it sets.

    Raises:
        LineError: a line does not set this value any more, does more than that, or
            continues the line before it.
    """
    lines = text.splitlines(keepends=True)
    kept: list[str] = []
    for number, line in enumerate(lines, 1):
        if number not in values:
            kept.append(line)
            continue
        if kept and kept[-1].rstrip("\r\n").endswith("\\"):
            raise LineError(f"line {number} continues the line before it")
        rest = _rest(number, line, name, values[number])
        if rest:
            kept.append(rest)
        elif _NO_SHELL.fullmatch(path) is None and _opens_block(kept):
            indent = line[: len(line) - len(line.lstrip())]
            kept.append(f"{indent}:{line[len(line.rstrip()) :]}")
    missing = [number for number in values if number > len(lines)]
    if missing:
        raise LineError(f"there is no line {missing[0]} any more")
    return "".join(kept)


def _rest(number: int, line: str, name: str, value: str) -> str:
    """Return what stays of a line: nothing, or the other variables that it sets."""
    word = re.escape(name)
    if not re.search(rf"\b{word}\b", line):
        raise LineError(f"line {number} does not set {name} any more")
    body = line.rstrip()
    found, rest = _alone(body.lstrip(), word), ""
    if found is None:
        found, rest = _among_others(body, name)
    if found is None:
        raise LineError(f"line {number} does more than setting variables")
    if unquote(found) != value:
        raise LineError(f"line {number} does not set {name} to {value!r} any more")
    return rest + line[len(body) :] if rest else ""


def _alone(line: str, word: str) -> str | None:
    """Return the value as it is written in a line that does nothing else, or None."""
    forms = (
        rf"{word}=(?P<value>{_PLAIN}){_END}",
        rf"set\s+(?:-\S+\s+)*{word}\s+(?P<value>{_PLAIN}){_END}",
        rf"setenv\s+{word}\s+(?P<value>{_PLAIN}){_END}",
        rf"SET(?:UVAR)?\s+(?:--\w+\s+)*{word}:(?P<value>\S*)",
        rf"{word}\s+DEFAULT=(?P<value>{_PAM})(?:\s+OVERRIDE={_PAM})?",
        rf"{word}\s+OVERRIDE=(?P<value>{_PAM})",
    )
    found = next((match for form in forms if (match := re.fullmatch(form, line))), None)
    return None if found is None else found["value"]


def _among_others(line: str, name: str) -> tuple[str | None, str]:
    """Return the value in a line of settings, and the line without it (empty for its only one)."""
    found = next(
        ((word, match) for word, whole in _LISTS if (match := whole.fullmatch(line))), None
    )
    if found is None:
        return None, ""
    word, listed = found
    words = [match[0] for match in word.finditer(listed["words"])]
    settings = [_unquoted(word).partition("=") for word in words]
    values = [value for setting, _, value in settings if setting == name]
    if len(values) != 1:
        return None, ""
    kept = [word for word, setting in zip(words, settings, strict=True) if setting[0] != name]
    return values[0], f"{listed['head']}{' '.join(kept)}{listed['end']}" if kept else ""


def _unquoted(word: str) -> str:
    """Return a systemd word without the quotes around the whole; a shell's begins with a name."""
    return word[1:-1] if word[0] in "\"'" else word


def _opens_block(before: list[str]) -> bool:
    """Return whether the last line that does something wants a command behind it."""
    significant = (line.partition(" #")[0].strip() for line in reversed(before))
    last = next((line for line in significant if line and not line.startswith("#")), "")
    return _OPENS.fullmatch(last) is not None
