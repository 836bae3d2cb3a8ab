"""Boxes for the tests, each removed after its test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.boxes import Box, remove_box, start_box


@pytest.fixture
def make_box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    """Make a box, with further options of ``podman run``."""
    made: list[str] = []

    def make(*options: str) -> Box:
        made.append(f"rdna1-test-{os.getpid()}-{len(made)}")
        return start_box(made[-1], tmp_path, options)

    yield make
    for name in made:
        remove_box(name)
