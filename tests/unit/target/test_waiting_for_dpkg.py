"""Waiting for dpkg's locks: real holders, which end when the test lets them."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rdna1.target.dpkg_locks import Holder, LockedError, dpkg_locked, holder_of, wait_until_free

HOLD = (
    "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.lockf(lock, fcntl.LOCK_EX)\n"
    "print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds a lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The lock of the frontends, that of the database, and one that does not exist."""
    for name in ("frontend", "database"):
        (tmp_path / name).touch()
    return [str(tmp_path / name) for name in ("frontend", "database", "missing")]


def release(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize("which", [0, 1])
def test_a_lock_is_waited_for_and_its_holder_named_once(files: list[str], which: int) -> None:
    told: list[Holder] = []
    with held(Path(files[which])) as process:

        def tell(holder: Holder) -> None:
            told.append(holder)
            # Longer than one look.
            threading.Timer(0.6, release, [process]).start()

        assert wait_until_free(60, tell, files)
        assert process.wait() == 0
    assert [(holder.file, holder.pid) for holder in told] == [(files[which], process.pid)]
    assert told[0].command.startswith(sys.executable)
    assert not wait_until_free(0, told.append, files)


def test_a_lock_that_stays_is_an_error_with_holder_and_remedy(files: list[str]) -> None:
    with held(Path(files[1])) as process:
        with pytest.raises(LockedError) as raised:
            wait_until_free(0.5, files=files)
        release(process)
    text = str(raised.value)
    assert f"process {process.pid} ({sys.executable}" in text
    assert f"holds {files[1]}" in text
    assert "Remedy: wait until it ends" in text


def test_the_lock_of_the_frontends_is_held_once_no_dpkg_is_at_work(files: list[str]) -> None:
    # As a dpkg that outlives a killed apt-get does: the frontends' lock is free.
    with held(Path(files[1])) as process:
        threading.Timer(0.6, release, [process]).start()
        with dpkg_locked(60, files=files[:2]):
            assert process.wait() == 0
            look = f"import fcntl; fcntl.lockf(open({files[0]!r}, 'w'), fcntl.LOCK_EX | 4)"
            other = subprocess.run([sys.executable, "-c", look], capture_output=True, check=False)
            assert b"BlockingIOError" in other.stderr
    with Path(files[0]).open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lock_that_nobody_holds_has_no_holder(files: list[str]) -> None:
    assert [holder_of(path) for path in files] == [None, None, None]
