from __future__ import annotations

from pathlib import Path

import pytest

from support.homes import machine_with_homes


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """The root folder of a machine on which Ada and Bob have homes."""
    return machine_with_homes(tmp_path / "root")
