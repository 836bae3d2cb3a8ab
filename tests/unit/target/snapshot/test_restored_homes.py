"""A home that was restored from a backup has other folders, and the rollback is told so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdna1.target.snapshot.file_changes import FileChange
from rdna1.target.snapshot.files import Entries, read_entries
from rdna1.target.snapshot.restore import restore_files
from rdna1.target.snapshot.watch import Place
from support.attacker import UID, shared_folder

OLD, NEW = "before\n", "after\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes several users")


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a folder of settings in it."""
    with shared_folder() as folder:
        home = folder / "home" / "somebody"
        (home / "conf").mkdir(parents=True)
        (home / "conf" / "file").write_text(OLD)
        for path in (home, home / "conf", home / "conf" / "file"):
            os.chown(path, UID, UID)
        yield home


def restored_from_a_backup(home: Path) -> list[FileChange]:
    """The change of a file whose home is unpacked from an archive afterwards."""
    file = home / "conf" / "file"
    before = _record(file)
    file.write_text(NEW)
    after = _record(file)
    backup = home.parent.parent / "backup.tar"
    subprocess.run(["tar", "-C", home.parent, "-cpf", backup, home.name], check=True)
    # It is still there meanwhile, so that its number is not given to the new one.
    home.rename(home.parent / "lost")
    subprocess.run(["tar", "-C", home.parent, "-xpf", backup], check=True)
    shutil.rmtree(home.parent / "lost")
    return [FileChange(str(file), before[str(file)], after[str(file)], True)]


def _record(file: Path) -> Entries:
    return read_entries([Place(str(file), 0)], contents=True)


def test_what_is_in_a_restored_home_stays_and_the_remedy_names_the_variable(home: Path) -> None:
    done = restore_files(restored_from_a_backup(home), dry_run=False)
    assert (home / "conf" / "file").read_text() == NEW
    assert done.done == []
    (reason,) = done.left
    assert "restored from a backup" in reason
    assert f"""-e '{{"rollback_restored_homes": ["{UID}"]}}'""" in reason


def test_with_the_remedy_it_is_put_back(home: Path) -> None:
    changes = restored_from_a_backup(home)
    done = restore_files(changes, dry_run=False, restored_homes={UID})
    assert done.left == []
    assert (home / "conf" / "file").read_text() == OLD


def test_another_users_home_is_not_meant(home: Path) -> None:
    changes = restored_from_a_backup(home)
    assert restore_files(changes, dry_run=False, restored_homes={UID + 1}).done == []
    assert (home / "conf" / "file").read_text() == NEW


def test_a_restored_home_of_somebody_else_is_left_as_it_is(home: Path) -> None:
    changes = restored_from_a_backup(home)
    for path in (home, home / "conf", home / "conf" / "file"):
        os.chown(path, UID + 1, UID + 1)
    done = restore_files(changes, dry_run=False, restored_homes={UID, UID + 1})
    assert done.done == []
    assert (home / "conf" / "file").read_text() == NEW
