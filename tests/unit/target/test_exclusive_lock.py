"""The one helper for locks on files: with real processes, users and locks."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rdna1.target.exclusive_lock import ExclusiveLockError, exclusive_lock, lock_file

SOURCE = Path(__file__).parents[3] / "installer"

HOLDER = """
import subprocess, sys
from pathlib import Path
from rdna1.target.exclusive_lock import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), 0) as descriptor:
    child = subprocess.Popen(["sleep", "600"], pass_fds=[descriptor])
    print(child.pid, flush=True)
    child.wait()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user: needs root")


@contextmanager
def held(path: Path) -> Iterator[tuple[int, int]]:
    """Another process that holds the lock, and one that it has started."""
    program = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            yield process.pid, child
        finally:
            process.kill()
            with_child = Path(f"/proc/{child}")
            if with_child.exists():
                os.kill(child, 9)


def refusal(path: Path, wait: float = 0) -> str:
    """Why the lock cannot be had."""
    with pytest.raises(ExclusiveLockError) as caught, exclusive_lock(path, wait):
        pass
    return str(caught.value)


def can_open(path: Path) -> bool:
    """Whether an ordinary user can open a file for reading, which is all that flock(2) needs."""
    program = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", str(path)]
    return subprocess.run(program, capture_output=True, check=False).returncode == 0


def test_the_second_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path) as (process, _):
        error = refusal(path, 0.3)
    assert f"process {process} (" in error
    assert re.search(r"\) of \w+ holds \S+/lock, waited 0.3 s. Remedy: ", error)


def test_a_child_of_a_killed_holder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path) as (process, _):
        os.kill(process, 9)
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        assert f"process {process} started before it ended holds" in refusal(path, 0.3)


def test_the_lock_is_free_again(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive_lock(tmp_path / "lock", 0):
            pass


@pytest.mark.parametrize("umask", [0, 0o002, 0o077])
def test_nobody_else_can_open_the_file_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with exclusive_lock(tmp_path / "lock", 0):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_file_that_others_may_have_open_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(mode=0o644)
    with path.open() as old, exclusive_lock(path, 0):
        assert not os.path.samestat(os.fstat(old.fileno()), path.stat())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    for mode in (0o1777, 0o777, 0o775):
        tmp_path.chmod(mode)
        assert "other users can write to it. Remedy: " in refusal(tmp_path / "lock")


@as_root
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    assert "other users can write to it" in refusal(tmp_path / "lock")


def test_links_and_pipes_in_the_files_place_are_refused(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "lock"
    victim.touch(mode=0o600)
    for put in (path.symlink_to, path.hardlink_to, lambda _: os.mkfifo(path)):
        put(victim)
        assert refusal(path).endswith("Remedy: remove it")
        path.unlink()


def test_a_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "\x1b]0;title\x07\nFAILED"
    path.mkdir()
    assert refusal(path).isprintable()


@as_root
def test_roots_own_locks_are_in_a_folder_of_roots(tmp_path: Path) -> None:
    path = lock_file(tmp_path / "shared")
    assert path.parent == Path("/run/rdna1")
    with exclusive_lock(path, 0):
        assert not can_open(path)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.unlink()


def test_each_subject_has_a_lock_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert lock_file(tmp_path / "a") != lock_file(tmp_path / "b")
    assert lock_file(tmp_path / "link" / "a") == lock_file(tmp_path / "a")


def test_no_other_module_locks_files() -> None:
    users = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if re.search(r"\b(flock|lockf)\(", path.read_text(encoding="utf-8").replace("flock(2)", ""))
    }
    # dpkg's and apt's own locks are of another kind, and theirs.
    assert users == {"rdna1/target/exclusive_lock.py", "rdna1/target/dpkg_locks.py"}
