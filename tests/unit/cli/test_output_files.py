"""Files that --output writes: whose they are, who can read them, what they cannot destroy."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdna1.cli.output import UsageError, write_report

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes files of another user: needs root")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder as /tmp is."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o1777)
        yield Path(name)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
@pytest.mark.parametrize("earlier", [None, 0o600, 0o644, 0o666])
def test_only_the_owner_can_read_a_report(tmp_path: Path, umask: int, earlier: int | None) -> None:
    output = tmp_path / "facts.json"
    if earlier is not None:
        output.touch()
        output.chmod(earlier)
    before = os.umask(umask)
    try:
        write_report("{}", output)
    finally:
        os.umask(before)
    assert output.stat().st_mode & 0o777 == 0o600
    assert output.read_text() == "{}\n"


def test_a_file_in_the_place_of_a_draft_is_not_touched(shared: Path) -> None:
    victim = shared / "victim"
    victim.write_text("untouched")
    # The name that drafts had, for every process to come soon.
    for process in range(os.getpid(), os.getpid() + 50):
        (shared / f".facts.json.{process}").symlink_to(victim)
    write_report("secret", shared / "facts.json")
    assert victim.read_text() == "untouched"
    assert (shared / "facts.json").read_text() == "secret\n"
    assert not (shared / "facts.json").is_symlink()


@as_root
def test_a_link_of_another_user_is_not_followed(shared: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    output = shared / "facts.json"
    output.symlink_to(victim)
    os.lchown(output, NOBODY, NOBODY)
    with pytest.raises(UsageError, match="a link of another user"):
        write_report("secret", output)
    assert victim.read_text() == "untouched"


def test_a_link_of_ones_own_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("folder/file")
    (tmp_path / "folder").mkdir()
    write_report("text", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_text() == "text\n"


@as_root
def test_a_file_of_another_user_becomes_ones_own(shared: Path) -> None:
    output = shared / "facts.json"
    output.touch()
    output.chmod(0o660)
    os.chown(output, NOBODY, NOBODY)
    write_report("secret", output)
    assert (output.stat().st_uid, output.stat().st_mode & 0o777) == (os.geteuid(), 0o600)


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe: No such device or address"):
        write_report("text", tmp_path / "pipe")


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError):
        write_report("text", tmp_path / "folder")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]
