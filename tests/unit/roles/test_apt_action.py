"""The action that runs apt: what it says before it."""

from __future__ import annotations

import pytest

from support.ansible_module import INSTALLER
from support.modules import load_by_path

ACTION = load_by_path(INSTALLER / "ansible_plugins/action/rdna1_apt.py")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "3 packages, nothing to fetch"),
        (1, "3 packages, less than 1 MiB to fetch"),
        (2**20, "3 packages, 1 MiB to fetch"),
        (1500 * 2**20, "3 packages, 1500 MiB to fetch"),
    ],
)
def test_what_is_fetched_is_said(size: int, text: str) -> None:
    assert ACTION.announcement(3, size) == text
