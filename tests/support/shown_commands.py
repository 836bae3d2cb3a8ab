"""Commands that the documentation shows, and what it shows of their output."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Shown(NamedTuple):
    """A command in a code block.

    Attributes:
        page: file, relative to the project.
        words: the command, as a shell splits it, without comments.
        output: what the page shows of its output; empty where it shows nothing of it.
    """

    page: str
    words: list[str]
    output: str

    @property
    def line(self) -> str:
        """The command in one line."""
        return shlex.join(self.words)


def pages() -> list[Path]:
    """Return every page of the documentation."""
    patterns = ("*.md", "docs/*.md", "roles/*/README.md", "molecule/*.md")
    return sorted(page for pattern in patterns for page in ROOT.glob(pattern))


def shown_commands(page: Path) -> list[Shown]:
    """Return the commands in a page's blocks ``sh`` and ``console``."""
    name = str(page.relative_to(ROOT))
    found = []
    for indent, language, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        lines = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
        if language == "sh":
            found += [Shown(name, words, "") for words in map(_words, _joined(lines)) if words]
        elif language == "console":
            parts = re.split(r"^\$ ", lines, flags=re.MULTILINE)
            assert parts[0] == "", f"{name}: a block begins without a command: {parts[0]}"
            for part in parts[1:]:
                command, *output = _joined(part)
                shown = "".join(f"{line}\n" for line in output)
                found.append(Shown(name, _words(command), shown.rstrip("\n") and shown))
    return [
        Shown(page_name, words, output)
        for page_name, all_words, output in found
        for words in _one_by_one(all_words)
    ]


def matches(shown: str, printed: str) -> bool:
    """Return whether a program printed what a page shows; the page leaves out lines at '...'."""
    parts = [re.escape(part) for part in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE)]
    return re.fullmatch("(?:.*\n)+".join(parts), printed) is not None


def _joined(text: str) -> list[str]:
    """Lines, those that end in a backslash together with the next."""
    return text.replace("\\\n", "").splitlines()


def _words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def _one_by_one(words: list[str]) -> list[list[str]]:
    """The commands of a line, which ``&&`` may join."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "&&":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands
