"""Finds processes by a mark in their environment, which their children inherit."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_MARK = "RDNA1_TEST_MARK"
_PATIENCE_SECONDS = 120.0


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition, and fail if it never holds."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait


@pytest.fixture
def started(
    monkeypatch: pytest.MonkeyPatch, wait_until: Callable[[Callable[[], bool]], None]
) -> Iterator[Callable[[], list[int]]]:
    """Ids of the processes that the test has started; none of them may be left at its end.

    The test's own process does not count: the mark is set after its start. Zombies have no
    environment any more, so they do not count either.
    """
    mark = uuid.uuid4().hex
    monkeypatch.setenv(_MARK, mark)
    needle = f"{_MARK}={mark}".encode()

    def has_mark(environ: Path) -> bool:
        try:
            return needle in environ.read_bytes()
        except OSError:
            return False  # it has ended meanwhile

    def pids() -> list[int]:
        return [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/environ") if has_mark(p)]

    yield pids
    wait_until(lambda: not pids())
