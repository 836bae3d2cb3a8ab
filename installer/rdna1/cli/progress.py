"""A line at the end of a terminal that moves while something lasts."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import Final

# What ends sooner needs no line.
_PATIENCE: Final = 2.0
_SECONDS: Final = 1.0
_CLEAR: Final = "\r\033[K"


def duration(seconds: float) -> str:
    """Return a time as users read it."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes else f"{whole} s"


class Progress:
    """Says every second what is going on, and for how long; the next output takes its place.

    The thread takes no lock of another's and imports nothing: Ansible forks while it runs.
    """

    def __init__(self, terminal: int) -> None:
        """Begin with nothing to say.

        Args:
            terminal: descriptor of the terminal.
        """
        self._terminal = terminal
        self._process = os.getpid()
        self._text = ""
        self._since = 0.0
        self._shown = False
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self, text: str) -> None:
        """Say from now on that this is going on."""
        self.clear()
        self._since = time.monotonic()
        self._text = text

    def end(self) -> None:
        """Say nothing any more."""
        self._text = ""
        self.clear()

    def clear(self) -> None:
        """Make room for other output; the line comes back."""
        if self._shown and os.getpid() == self._process:
            self._shown = False
            self._write(_CLEAR)

    def _run(self) -> None:
        while True:
            time.sleep(_SECONDS)
            text, seconds = self._text, time.monotonic() - self._since
            if text and seconds >= _PATIENCE:
                self._shown = True
                self._write(f"{_CLEAR}{self._line(text, seconds)}")

    def _line(self, text: str, seconds: float) -> str:
        """Return what fits into the terminal."""
        end = f" ... {duration(seconds)}"
        room = shutil.get_terminal_size().columns - len(end) - 3
        return f"  {text[:room]}{end}"

    def _write(self, text: str) -> None:
        try:
            os.write(self._terminal, text.encode())
        except OSError:
            # The terminal is gone, and with it who would read.
            self._text = ""
