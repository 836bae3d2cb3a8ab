"""Files go back to what they were, on real files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rdna1.target.snapshot.files import Entries, read_entries
from rdna1.target.snapshot.restore import Restored, restore_files
from rdna1.target.snapshot.watch import Place
from support.file_changes import changes, restore


def record(root: Path) -> Entries:
    return read_entries([Place(str(root), 3)], contents=True)


def make(root: Path) -> None:
    (root / "folder").mkdir(parents=True)
    (root / "text").write_bytes(b"\xff\x00 old\r\n")
    (root / "text").chmod(0o640)
    os.utime(root / "text", (1, 1))
    (root / "link").symlink_to("nowhere")
    (root / "folder" / "gone").write_text("moved away by a role")


def spoil(root: Path) -> None:
    (root / "text").write_text("new")
    (root / "text").chmod(0o600)
    (root / "link").unlink()
    (root / "link").symlink_to("elsewhere")
    (root / "folder" / "gone").unlink()
    (root / "folder").rmdir()
    (root / "new" / "deep").mkdir(parents=True)
    (root / "new" / "deep" / "file").write_text("ours")


def test_everything_comes_back_byte_for_byte(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(root)
    before = record(root)
    spoil(root)
    found = changes(before, record(root))
    dry = restore_files(found, dry_run=True)
    assert (root / "text").read_text() == "new"
    assert any("put back" in line for line in dry.done)
    done = restore(found)
    assert done.left == []
    assert {p: e for p, e in record(root).items() if p != str(root / "folder")} == {
        p: e for p, e in before.items() if p != str(root / "folder")
    }
    assert (root / "text").stat().st_mtime == 1
    assert restore(found) == Restored([], [])


def test_what_the_owner_changed_since_is_kept_next_to_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(root)
    before = record(root)
    spoil(root)
    found = changes(before, record(root))
    (root / "text").write_text("mine")
    (root / "new" / "mine").write_text("mine")
    done = restore(found)
    assert (root / "text").read_bytes() == b"\xff\x00 old\r\n"
    assert (root / "text.rdna1-kept").read_text() == "mine"
    assert [path.name for path in (root / "new").iterdir()] == ["mine"]
    assert [line.partition(": ")[2] for line in done.left] == [
        "holds mine, not of this project",
        f"changed since, so your state of it is now {root / 'text.rdna1-kept'}",
    ]


def test_a_file_of_unknown_origin_stays(tmp_path: Path) -> None:
    file = tmp_path / "mine.list"
    file.write_text("mine")
    entry = read_entries([Place(str(file), 0)], contents=False)
    done = restore(changes({}, entry, ours=False))
    assert file.read_text() == "mine"
    assert "interrupted run" in done.left[0]


def test_a_moved_folder_returns_and_the_new_one_is_kept(tmp_path: Path) -> None:
    old, moved = tmp_path / "miopen", tmp_path / "miopen.rdna1-backup"
    places = [Place(str(path), 0) for path in (old, moved)]
    old.mkdir()
    (old / "db").write_text("old")
    before = read_entries(places, contents=False)
    old.rename(moved)
    found = changes(before, read_entries(places, contents=False))
    old.mkdir()
    (old / "db").write_text("new")
    done = restore(found)
    assert (old / "db").read_text() == "old"
    assert (tmp_path / "miopen.rdna1-kept" / "db").read_text() == "new"
    assert not moved.exists()
    assert len(done.left) == 1


def test_a_large_file_is_named_where_it_cannot_come_back(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(2**20 + 1))
    place = [Place(str(file), 0)]
    before: Any = read_entries(place, contents=True)
    file.unlink()
    assert restore(changes(before, {})).left == [f"{file}: too large to have been written down"]
