"""The line on standard error that shows how far a run is, when that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressLine:
    """What a run says meanwhile; one without a display says nothing."""

    def __init__(self, display: Progress | None = None, task: TaskID | None = None) -> None:
        """Keep the display."""
        self._display, self._task = display, task

    def show(self, text: str, done: int | None = None) -> None:
        """Replace the text, and the number of cases that are done."""
        if self._display is not None and self._task is not None:
            self._display.update(self._task, description=text, completed=done)

    def wait(self, text: str) -> None:
        """Say who has the device; the next case replaces it."""
        self.show(f"waiting: {text}")


@contextmanager
def progress_line(total: int | None = None) -> Iterator[ProgressLine]:
    """Show a line until the block ends.

    Args:
        total: number of cases, None when it is not known.
    """
    if not sys.stderr.isatty():
        yield ProgressLine()
        return
    from rich.console import Console
    from rich.progress import (
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns: list[ProgressColumn] = [SpinnerColumn(), TimeElapsedColumn()]
    if total is not None:
        columns.append(MofNCompleteColumn())
    columns.append(TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        yield ProgressLine(display, display.add_task("starting", total=total))
