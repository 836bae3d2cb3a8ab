"""One run at a time on a device: with real processes and real locks."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rdna1.worker.device_lock import DeviceBusyError, DeviceLock, lock_folder

IDENTITY = "GPU 0000:0a:00.0"

HOLDER = """
import sys, time
from pathlib import Path
from rdna1.worker.device_lock import DeviceLock
DeviceLock(sys.argv[1], Path(sys.argv[2])).acquire(0, print)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As /run/lock: everybody's, sticky."""
    place = tmp_path / "lock"
    place.mkdir()
    place.chmod(0o1777)
    return place


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-c", HOLDER, IDENTITY, str(folder)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def never(_: str) -> None:
    raise AssertionError("nobody has the lock")


@contextmanager
def stranger(path: Path) -> Iterator[subprocess.Popen[str]]:
    """An ordinary user who holds the lock on a file that is there."""
    program = [
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *("flock", "--exclusive", str(path), "-c", "echo held; exec sleep 600"),
    ]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user: needs root")
def test_an_ordinary_user_cannot_keep_root_from_the_device() -> None:
    # In the folder of the machine, as every other user finds it.
    lock = DeviceLock("GPU of a test")
    lock.path.touch()
    lock.path.chmod(0o666)
    told: list[str] = []
    with stranger(lock.path) as process:
        lock.acquire(0.1, told.append)
        lock.release()
        assert f"process {process.pid} (flock" in told[0]
    assert "of nobody; root goes on all the same" in told[-1]
    lock.path.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user: needs root")
def test_what_a_user_puts_in_the_files_place_does_not_stop_root(folder: Path) -> None:
    lock = DeviceLock(IDENTITY, folder)
    os.mkfifo(lock.path)
    os.chown(lock.path, 65534, 65534)
    told: list[str] = []
    lock.acquire(0, told.append)
    lock.release()
    assert "root goes on all the same" in told[-1]


def test_the_holder_is_whom_the_kernel_names(folder: Path, holder: subprocess.Popen[str]) -> None:
    lock = DeviceLock(IDENTITY, folder)
    # Whoever can open the file can write this.
    lock.path.write_text("process 1 (systemd)", encoding="utf-8")
    with pytest.raises(DeviceBusyError, match=f"process {holder.pid} "):
        lock.acquire(0, never)


def test_the_second_is_told_who_has_the_device(folder: Path, holder: subprocess.Popen[str]) -> None:
    told: list[str] = []
    with pytest.raises(DeviceBusyError, match=f"in use by process {holder.pid} ") as caught:
        DeviceLock(IDENTITY, folder).acquire(0.5, told.append)
    assert IDENTITY in str(caught.value)
    assert len(told) == 1
    assert f"in use by process {holder.pid} " in told[0]


def test_a_killed_holder_leaves_no_lock(folder: Path, holder: subprocess.Popen[str]) -> None:
    lock = DeviceLock(IDENTITY, folder)
    lock.acquire(60, lambda _: holder.kill())
    lock.release()
    again = DeviceLock(IDENTITY, folder)
    again.acquire(0, never)
    again.release()


@pytest.mark.usefixtures("holder")
def test_another_device_is_free(folder: Path) -> None:
    lock = DeviceLock("GPU 0000:0b:00.0", folder)
    lock.acquire(0, never)
    lock.release()


def test_every_user_can_open_the_file_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        lock = DeviceLock(IDENTITY, folder)
        lock.acquire(0, never)
    finally:
        os.umask(before)
    assert stat.S_IMODE(lock.path.stat().st_mode) == 0o666
    lock.release()


def test_links_and_pipes_in_the_files_place_are_refused(folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched", encoding="utf-8")
    lock = DeviceLock(IDENTITY, folder)
    for put in (lock.path.symlink_to, lock.path.hardlink_to, lambda _: os.mkfifo(lock.path)):
        put(victim)
        with pytest.raises(DeviceBusyError, match="cannot serve as the lock"):
            lock.acquire(0, never)
        lock.path.unlink()
    assert victim.read_text(encoding="utf-8") == "untouched"


@pytest.mark.usefixtures("holder")
def test_what_others_write_into_the_file_cannot_reach_a_terminal(folder: Path) -> None:
    lock = DeviceLock(IDENTITY, folder)
    lock.path.write_bytes(b"\x1b]0;title\x07\n" + b"x" * 10_000)
    with pytest.raises(DeviceBusyError) as caught:
        lock.acquire(0, never)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_shared_folder_comes_before_a_users_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(own))
    assert lock_folder([str(tmp_path / "none"), str(folder)]) == folder
    assert lock_folder([str(tmp_path / "none")]) == own
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with pytest.raises(DeviceBusyError, match="set XDG_RUNTIME_DIR"):
        lock_folder([])
