"""MIOpen's folders are moved aside by root, in homes whose owner swaps folders meanwhile."""

from __future__ import annotations

import contextlib
import os
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ansible_module import INSTALLER, MODULES
from support.attacker import (
    UID,
    Step,
    as_attacker,
    attacked_at_each_step,
    owned_tree,
    shared_folder,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes two users")


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that everybody can enter."""
    with shared_folder() as folder:
        yield folder / "root"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the module defines, with rdna1 where Ansible puts it."""
    import ansible.module_utils as utils

    monkeypatch.setattr(utils, "__path__", [*utils.__path__, str(INSTALLER)])
    return runpy.run_path(str(MODULES / "rdna1_miopen_databases.py"))


def make(root: Path) -> Step:
    """Make a home with a database, and a folder of root's of the same shape."""
    for folder, uid in ((root / "etc", 0), (root / "home", UID)):
        (folder / ".config/miopen").mkdir(parents=True)
        (folder / ".config/miopen/db").write_text("x")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid)
    return lambda: shutil.rmtree(root)


def move(module: dict[str, Any], root: Path) -> str | None:
    with module["Tree"]().folder(str(root / "home/.config/miopen")) as place:
        name: str | None = module["moved_aside"](place, UID, dry_run=False)
        return name


def link_folder(root: Path) -> None:
    (root / "home/.config").rename(root / "home/aside")
    (root / "home/.config").symlink_to(root / "etc/.config")


def link_database(root: Path) -> None:
    (root / "home/.config/miopen").rename(root / "home/aside")
    (root / "home/.config/miopen").symlink_to(root / "etc/.config/miopen")


def test_the_folder_is_moved_next_to_it(module: dict[str, Any], root: Path) -> None:
    make(root)
    assert move(module, root) == "miopen.rdna1-backup"
    assert (root / "home/.config/miopen.rdna1-backup/db").read_text() == "x"


@pytest.mark.parametrize("attack", [link_folder, link_database])
def test_nothing_of_roots_is_moved_at_any_step(
    module: dict[str, Any], root: Path, attack: Callable[[Path], None]
) -> None:
    def run() -> None:
        with contextlib.suppress(OSError):
            move(module, root)

    before: dict[str, tuple[Any, ...]] = {}

    def prepare() -> Step:
        clean = make(root)
        before.update(owned_tree(root / "etc"))
        return clean

    for _ in attacked_at_each_step(prepare, run, lambda: attack(root)):
        assert owned_tree(root / "etc") == before


def test_a_link_in_a_folders_place_stays(module: dict[str, Any], root: Path) -> None:
    make(root)
    as_attacker(lambda: link_database(root))
    assert move(module, root) is None
    assert (root / "home/.config/miopen").is_symlink()
