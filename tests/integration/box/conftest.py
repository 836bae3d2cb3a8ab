"""Boxes for the tests, each removed after its test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.boxes import Box, remove_box, start_box
from support.wheel_boxes import fill_index
from support.wheels import serve


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


@pytest.fixture
def index_folder(tmp_path: Path) -> Path:
    """An index with fakes of all stacks' wheels."""
    folder = tmp_path / "index"
    fill_index(folder)
    return folder


@pytest.fixture
def index(index_folder: Path) -> Iterator[str]:
    """Its address."""
    with serve(index_folder) as address:
        yield address
