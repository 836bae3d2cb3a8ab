"""Replacing real files: content, owner, mode, links, backups and failures."""

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from rdna1.fix.files import ChangedError, rewrite
from support.forked import in_child

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "profile.sh"
    file.write_bytes(b"old\n")
    file.chmod(0o640)
    return file


def test_content_and_backup(file: Path) -> None:
    os.utime(file, (1000, 1000))
    backup = rewrite(file, b"old\n", b"new\n")
    assert backup == file.with_name("profile.sh.rdna1-backup")
    assert (file.read_bytes(), backup.read_bytes()) == (b"new\n", b"old\n")
    assert [p.stat().st_mode & 0o7777 for p in (file, backup)] == [0o640, 0o640]
    assert backup.stat().st_mtime == 1000 < file.stat().st_mtime
    assert sorted(p.name for p in file.parent.iterdir()) == [file.name, backup.name]


@pytest.mark.skipif(not IS_ROOT, reason="gives files away")
def test_owner_and_special_modes_stay(file: Path) -> None:
    os.chown(file, 1234, 2345)
    file.chmod(0o2604)
    backup = rewrite(file, b"old\n", b"new\n")
    for path in (file, backup):
        status = path.stat()
        assert (status.st_uid, status.st_gid) == (1234, 2345)
        assert status.st_mode & 0o7777 == 0o2604


def test_extended_attributes_stay(file: Path) -> None:
    try:
        os.setxattr(file, "user.note", b"mine")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")
    backup = rewrite(file, b"old\n", b"new\n")
    assert os.getxattr(file, "user.note") == os.getxattr(backup, "user.note") == b"mine"


def test_backups_are_never_overwritten(file: Path) -> None:
    names = []
    for number in range(3):
        old, new = b"%d" % number, b"%d" % (number + 1)
        file.write_bytes(old)
        backup = rewrite(file, old, new)
        assert backup.read_bytes() == old
        names.append(backup.name.removeprefix("profile.sh.rdna1-backup"))
    assert names == ["", ".2", ".3"]


def test_a_backup_that_is_a_dangling_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "profile.sh.rdna1-backup").symlink_to(tmp_path / "elsewhere")
    assert rewrite(file, b"old\n", b"new\n").name == "profile.sh.rdna1-backup.2"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("now", [b"", b"old", b"old\nmore\n", b"changed\n"])
def test_a_file_that_changed_stays(file: Path, now: bytes) -> None:
    file.write_bytes(now)
    with pytest.raises(ChangedError, match="changed meanwhile"):
        rewrite(file, b"old\n", b"new\n")
    assert file.read_bytes() == now
    assert list(file.parent.iterdir()) == [file]


def test_a_link_in_the_files_place_is_not_followed(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    with pytest.raises(OSError, match="symbolic links") as caught:
        rewrite(link, b"old\n", b"new\n")
    assert caught.value.errno == errno.ELOOP
    assert file.read_bytes() == b"old\n"


def test_a_pipe_in_the_files_place_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ChangedError):
        rewrite(tmp_path / "pipe", b"old\n", b"new\n")


def test_nothing_is_left_when_writing_fails(file: Path) -> None:
    """A file size limit stands for a full disk: both fail while the draft is written."""

    def write_too_much() -> int | None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        with pytest.raises(OSError) as caught:
            rewrite(file, b"old\n", b"new\n" * 1000)
        return caught.value.errno

    assert in_child(write_too_much) == errno.EFBIG
    assert file.read_bytes() == b"old\n"
    assert list(file.parent.iterdir()) == [file]


def test_a_draft_in_the_way_changes_nothing(file: Path) -> None:
    draft = file.with_name(f".profile.sh.{os.getpid()}")
    draft.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        rewrite(file, b"old\n", b"new\n")
    assert (file.read_bytes(), draft.read_bytes()) == (b"old\n", b"other")
    assert not file.with_name("profile.sh.rdna1-backup").exists()
