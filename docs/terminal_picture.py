"""Draw what a terminal showed: ANSI text on standard input, SVG on standard output.

script -qec './run demo' log && tail -n 60 log | python docs/terminal_picture.py TITLE
"""

from __future__ import annotations

import io
import re
import sys

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH = 80
# A line that other output took the place of.
_REPLACED = re.compile(r"[^\n]*\r\x1b\[K")


def picture(ansi: str, title: str) -> str:
    """The SVG picture of a terminal 80 columns wide."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), legacy_windows=False)
    console.print(Text.from_ansi(_REPLACED.sub("", ansi).replace("\r", "")), soft_wrap=False)
    return console.export_svg(title=title, theme=MONOKAI)


if __name__ == "__main__":
    sys.stdout.write(picture(sys.stdin.read(), sys.argv[1]))
