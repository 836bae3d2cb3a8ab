"""Modes of folders that are made, whatever the umask of whoever runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdna1.cli import action
from rdna1.target.dpkg_locks import dpkg_locked
from rdna1.target.folders import make_folders
from rdna1.target.snapshot.runs import Run, begin
from rdna1.wheels.lock import write_lock
from unit.target.snapshot.test_rollback_plan import FACTS, state

RUN = Run("1", [], state("base"), None)


@pytest.fixture(params=[0o000, 0o077], ids=["umask-000", "umask-077"], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    found = (path for path in folder.rglob("*") if path.is_dir())
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o7777 for path in found}


def test_every_folder_that_is_made_has_the_mode(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o751)
    make_folders(tmp_path / "there" / "a" / "b")
    make_folders(tmp_path / "c" / "d", 0o700)
    assert modes(tmp_path) == {
        "there": 0o751,
        "there/a": 0o755,
        "there/a/b": 0o755,
        "c": 0o700,
        "c/d": 0o700,
    }


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileExistsError):
        make_folders(tmp_path / "a")
    with pytest.raises(FileExistsError):
        make_folders(tmp_path / "a" / "b")


def test_records_are_for_root_in_folders_that_no_other_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    begin(tmp_path / "rdna1" / "snapshots", RUN, "now", FACTS)
    made = {"rdna1": 0o755, "rdna1/snapshots": 0o755, "rdna1/snapshots/1": 0o700}
    assert modes(tmp_path) == made
    # As an earlier release left them under such a umask.
    for name in ("rdna1", "rdna1/snapshots"):
        (tmp_path / name).chmod(0o777)
    begin(tmp_path / "rdna1" / "snapshots", RUN, "now", FACTS)
    assert modes(tmp_path) == made


def test_records_in_a_home_are_for_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    begin(tmp_path / "rdna1" / "snapshots", RUN, "now", FACTS)
    assert set(modes(tmp_path).values()) == {0o700}


def test_folders_of_locks_and_reports_are_made_with_their_mode(tmp_path: Path) -> None:
    lock = tmp_path / "dpkg" / "lock-frontend"
    with dpkg_locked(0, files=(str(lock),)):
        pass
    write_lock(tmp_path / "locks" / "of" / "wheels.txt", "")
    action.write("{}", tmp_path / "reports" / "host" / "report.json")
    assert set(modes(tmp_path).values()) == {0o755}
