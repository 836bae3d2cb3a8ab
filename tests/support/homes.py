"""A machine with homes of users who are only numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ADA, BOB = 54321, 54322


def machine_with_homes(root: Path) -> Path:
    """A root folder with the homes of Ada and Bob; skips where they cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("only root can make homes of several users")
    for name, uid in (("ada", ADA), ("bob", BOB)):
        home = root / "home" / name
        home.mkdir(parents=True)
        give(home, uid)
    for folder in (root, root / "home"):
        folder.chmod(0o755)
    return root


def give(path: Path, uid: int) -> Path:
    """Make somebody the owner of a file, folder or link."""
    os.lchown(path, uid, uid)
    return path


def give_all(path: Path, uid: int) -> Path:
    """Make somebody the owner of a folder and of all that is in it."""
    for place in [path, *path.rglob("*")]:
        give(place, uid)
    return path


def written(path: Path, uid: int, text: str = "text\n", mode: int = 0o600) -> Path:
    """A file of somebody."""
    path.write_text(text)
    path.chmod(mode)
    return give(path, uid)


def linked(path: Path, uid: int, target: str) -> Path:
    """A link of somebody."""
    path.symlink_to(target)
    return give(path, uid)
