"""Files that appear complete or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdna1.target.whole_file import whole_file, write_whole


def test_a_link_is_replaced_and_the_mode_is_what_was_asked(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / "file").symlink_to(victim)
    write_whole(tmp_path / "file", b"new", 0o644)
    assert victim.read_bytes() == b"untouched"
    assert (tmp_path / "file").lstat().st_mode == 0o100644


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "file") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_no_other_reads_a_draft(tmp_path: Path) -> None:
    with whole_file(tmp_path / "file", 0o644):
        assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
