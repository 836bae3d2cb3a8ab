"""Clean up without being interrupted in the middle of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held(*, drop: bool) -> Iterator[None]:
    """Hold Ctrl-C back until the block is done.

    A signal handler instead of a signal mask: a mask is a thread's own, and the signal would
    come through another thread, such as one that shows the progress.

    Args:
        drop: forget what came meanwhile, because the user has already been obeyed.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python handles signals in the main thread only.
        yield
        return
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)

    previous = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        # None is a handler that Python has not set, and cannot set again.
        signal.signal(signal.SIGINT, signal.SIG_DFL if previous is None else previous)
        if held and not drop:
            signal.raise_signal(signal.SIGINT)
