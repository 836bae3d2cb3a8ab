"""Settings of environment variables in the kinds of file that can hold them.

Each function takes the text of one file and yields line number, name and value.
"""

from __future__ import annotations

import re
from typing import Iterator, Tuple

from . import shell

Setting = Tuple[int, str, str]

_PAM_VALUE = re.compile(r"""(?:DEFAULT|OVERRIDE)=("[^"]*"|\S+)""")
_FISH = re.compile(r"\s*set\s+(?P<options>(?:-\S+\s+)*)(?P<name>\w+)\s+(?P<value>[^#;]*)")
_FISH_EXPORT = re.compile(r"-[A-Za-z]*x[A-Za-z]*|--export")
_FISH_WORD = re.compile(r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""")
_FISH_UNIVERSAL = re.compile(
    r"SET(?:UVAR)?\s+(?P<options>(?:--\w+\s+)*)(?P<name>\w+):(?P<value>.*)"
)
_FISH_ESCAPE = re.compile(r"\\(?:x|u00)([0-9a-fA-F]{2})")
_CSH = re.compile(r"(?:^|[;&(]|\bthen\b)\s*setenv\s+(?P<name>\w+)\s+(?P<value>[^;&)]*)")
_UNIT_SETTING = re.compile(r"\s*(?:Default|Manager)?Environment\s*=(.*)", re.DOTALL)
_UNIT_WORD = re.compile(r""""((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|(\S+)""", re.DOTALL)
# One entry of an environment file: a comment, a setting, or a line that is none. Each part
# matches whatever follows, so that no text makes the search go back.
_QUOTED = r"""'[^']*(?:'|\Z)|"(?:\\(?:.|\Z)|[^"\\])*(?:"|\Z)"""
_FILE_ENTRY = re.compile(
    rf"""
    (?: [ \t\r]* [#;] [^\n]*
      | (?P<name>[ \t\r]*[^ \t\r\n][^=\n]*) = (?P<quoted>(?:[ \t\r]*(?:{_QUOTED}))*)
        (?P<plain>(?:\\(?:.|\Z)|[^\\\n])*)
      | [^\n]*
    ) (?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED_PART = re.compile(_QUOTED, re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def of_shell(text: str) -> Iterator[Setting]:
    """Yield what start files of POSIX shells and zsh export."""
    return shell.exported(text)


def of_list(text: str) -> Iterator[Setting]:
    """Yield ``NAME=VALUE`` lines: /etc/environment and environment.d(5)."""
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            yield (
                number,
                name.split()[-1] if name else "",
                shell.unquote(value.split(" #")[0].strip()),
            )


def of_preload(text: str) -> Iterator[Setting]:
    """Yield the libraries of /etc/ld.so.preload; they count as those of LD_PRELOAD (ld.so(8))."""
    for number, line in enumerate(text.splitlines(), 1):
        libraries = line.partition("#")[0].replace(":", " ").split()
        if libraries:
            yield number, "LD_PRELOAD", ":".join(libraries)


def of_pam(text: str) -> Iterator[Setting]:
    """Yield ``NAME DEFAULT=value`` lines (pam_env.conf(5)), and ``NAME=VALUE`` of older files."""
    for number, line in enumerate(text.splitlines(), 1):
        name, _, rest = line.strip().partition(" ")
        value = _PAM_VALUE.match(rest.strip())
        if value and not name.startswith("#"):
            yield number, name, shell.unquote(value[1])
    yield from of_list(text)


def of_unit(text: str) -> Iterator[Setting]:
    """Yield ``Environment=`` of systemd's units and ``DefaultEnvironment=`` of its own settings."""
    for number, line in _unit_lines(text):
        setting = _UNIT_SETTING.fullmatch(line)
        for word in _UNIT_WORD.finditer(setting[1]) if setting else ():
            name, equals, value = (word[1] or word[2] or word[3] or "").partition("=")
            if equals:
                yield number, name, value


def environment_files_of_unit(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and value of each ``EnvironmentFile=``; an empty one resets the list."""
    # Few units have one, and many are read.
    for number, line in _unit_lines(text) if "EnvironmentFile" in text else ():
        name, equals, value = line.partition("=")
        if equals and name.strip() == "EnvironmentFile":
            yield number, value.strip()


def of_environment_file(text: str) -> Iterator[Setting]:
    """Yield files that ``EnvironmentFile=`` names (systemd.exec(5)).

    Quotes and backslashes are those of a shell, nothing is expanded, and behind a value there
    are not comments. A quoted value may go on over several lines; its first line counts.
    """
    number, counted = 1, 0
    for entry in _FILE_ENTRY.finditer(text):
        name = (entry["name"] or "").strip()
        if _NAME.fullmatch(name):
            number += text.count("\n", counted, entry.start())
            counted = entry.start()
            quoted = (_quoted_part(part[0]) for part in _QUOTED_PART.finditer(entry["quoted"]))
            plain = re.sub(r"\\(?:\n|(.?))", r"\1", entry["plain"].strip(" \t\r"))
            yield number, name, "".join(quoted) + plain


def of_fish(text: str) -> Iterator[Setting]:
    """Yield ``set -gx NAME VALUE`` of fish, which knows ``export NAME=VALUE`` too.

    Other programs get only what is exported; a list is joined as fish does it.
    """
    for number, line in enumerate(text.splitlines(), 1):
        setting = _FISH.match(line)
        if setting and any(map(_FISH_EXPORT.fullmatch, setting["options"].split())):
            values = (shell.unquote(word[0]) for word in _FISH_WORD.finditer(setting["value"]))
            joint = ":" if setting["name"].endswith("PATH") else " "
            yield number, setting["name"], joint.join(values)
    yield from of_shell(text)


def of_fish_variables(text: str) -> Iterator[Setting]:
    """Yield ``SETUVAR --export NAME:VALUE`` of fish's universal variables."""
    for number, line in enumerate(text.splitlines(), 1):
        setting = _FISH_UNIVERSAL.fullmatch(line.strip())
        if setting and "--export" in setting["options"].split():
            value = _FISH_ESCAPE.sub(lambda match: chr(int(match[1], 16)), setting["value"])
            joint = ":" if setting["name"].endswith("PATH") else " "
            yield number, setting["name"], value.replace("\x1e", joint).replace("\\\\", "\\")


def of_csh(text: str) -> Iterator[Setting]:
    """Yield ``setenv NAME VALUE`` of csh and tcsh."""
    for number, line in enumerate(text.splitlines(), 1):
        for setting in _CSH.finditer(line.partition(" #")[0]):
            yield number, setting["name"], shell.unquote(setting["value"].strip())


def _quoted_part(part: str) -> str:
    inner = part[1:-1] if len(part) > 1 and part[-1] == part[0] else part[1:]
    return inner if part[0] == "'" else re.sub(r'\\(?:\n|([\\"$`]))', r"\1", inner)


def _unit_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines without comments, those that end in a backslash joined with what follows."""
    joined: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("#", ";")):
            continue
        if not joined:
            first = number
        joined.append(line.rstrip("\\"))
        if not line.endswith("\\"):
            yield first, " ".join(joined)
            joined = []
    if joined:
        yield first, " ".join(joined)
