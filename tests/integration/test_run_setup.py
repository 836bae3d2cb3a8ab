"""Two commands at once in a checkout that is not set up: one sets it up, the other waits for it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.apt_repository import FakePackage, build_package
from support.interrupted_dpkg import DpkgRoot

ROOT = Path(__file__).parents[2]
# In the place of uv: it makes what ./run looks for, says when it is at work, and ends when it may.
UV = """#!/bin/sh
set -eu
echo "$* path=${PATH%%:*} no-cache=${UV_NO_CACHE-}" >>calls
case "$*" in
*" venv "*)
    mkdir .venv || { echo "two set up at once" >&2; exit 1; }
    touch started
    while ! [ -e go ]; do sleep 0.05; done
    mkdir .venv/bin
    ln -s /usr/bin/python3 .venv/bin/python
    ;;
*--editable*)
    printf '#!/bin/sh\\necho looked\\n' >.venv/bin/rdna1-preflight
    chmod 755 .venv/bin/rdna1-preflight
    ;;
esac
"""
LIMIT_SECONDS = 300


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is not set up, with a uv that is a program of the test."""
    folder = tmp_path / "checkout"
    (folder / "requirements").mkdir(parents=True)
    for name in ("run", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder)
    (folder / "requirements" / "provision.txt").touch()
    wheel = tmp_path / "uv-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        script = zipfile.ZipInfo("uv-1.data/scripts/uv")
        script.external_attr = 0o100755 << 16
        archive.writestr(script, UV)
        archive.writestr("uv-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 1\n")
        archive.writestr(
            "uv-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("uv-1.dist-info/RECORD", "")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requirement = f"uv @ file://{wheel} --hash=sha256:{found}\n"
    (folder / "requirements" / "uv.txt").write_text(requirement)
    return folder


@contextmanager
def started(
    checkout: Path, *arguments: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A command of the checkout, and the file with what it says; ended with all it started."""
    log = checkout / f"log-{time.monotonic_ns()}"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["./run", *arguments],
            cwd=checkout,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            umask=0o022,
        )
    try:
        yield process, log
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(process: subprocess.Popen[str], file: Path, text: str = "") -> None:
    """Wait until a file is there with a text in it, while a command runs."""
    while not (file.exists() and text in file.read_text()):
        assert process.poll() is None, "it ended before"
        time.sleep(0.05)


def test_the_second_waits_and_says_for_whom(checkout: Path) -> None:
    with started(checkout, "preflight") as (first, first_log):
        wait_for(first, checkout / "started")
        lock = checkout / ".cache" / "setup.lock"
        assert lock.stat().st_mode & 0o777 == 0o600
        with started(checkout, "preflight", "--help") as (second, second_log):
            wait_for(second, second_log, f"Waiting until './run preflight' (process {first.pid})")
            (checkout / "go").touch()
            assert second.wait(LIMIT_SECONDS) == 0, second_log.read_text()
        assert first.wait(LIMIT_SECONDS) == 0, first_log.read_text()
    assert second_log.read_text().endswith("looked\n")
    assert (checkout / "calls").read_text().count(" venv ") == 1


def test_many_at_once_from_the_very_beginning(checkout: Path) -> None:
    (checkout / "go").touch()
    with started(checkout, "preflight") as one, started(checkout, "preflight") as other:
        for process, log in (one, other):
            assert process.wait(LIMIT_SECONDS) == 0, log.read_text()
            assert log.read_text().endswith("looked\n")
    assert (checkout / "calls").read_text().count(" venv ") == 1


def test_the_distributions_python_comes_before_one_of_the_shell(checkout: Path) -> None:
    (checkout / "go").touch()
    others = f"/opt/conda/bin:{os.environ['PATH']}"
    with started(checkout, "preflight", PATH=others) as (process, log):
        assert process.wait(LIMIT_SECONDS) == 0, log.read_text()
    (made,) = (each for each in (checkout / "calls").read_text().splitlines() if " venv " in each)
    assert "path=/usr/bin " in made


def test_after_a_kill_the_next_one_goes_on(checkout: Path) -> None:
    with started(checkout, "preflight") as (first, _):
        wait_for(first, checkout / "started")
        with started(checkout, "preflight") as (second, log):
            wait_for(second, log, "Waiting until")
            kill_group(first)
            shutil.rmtree(checkout / ".venv")
            (checkout / "go").touch()
            assert second.wait(LIMIT_SECONDS) == 0, log.read_text()


def test_what_a_killed_one_started_is_waited_for(checkout: Path) -> None:
    with started(checkout, "preflight") as (first, _):
        wait_for(first, checkout / "started")
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        with started(checkout, "preflight") as (second, log):
            wait_for(second, log, f"process {first.pid})")
            (checkout / "go").touch()
            assert second.wait(LIMIT_SECONDS) == 0, log.read_text()
    assert (checkout / "calls").read_text().count(" venv ") == 1


def test_a_home_that_cannot_be_written_does_not_matter(checkout: Path) -> None:
    (checkout / "go").touch()
    with started(checkout, "preflight", HOME="/proc", XDG_CACHE_HOME="") as (process, log):
        assert process.wait(LIMIT_SECONDS) == 0, log.read_text()
    assert "/proc/.cache/uv cannot be written: uv keeps no copy" in log.read_text()
    calls = (checkout / "calls").read_text().splitlines()
    assert all(line.endswith("no-cache=1") for line in calls)


def test_a_lock_that_is_not_ones_own_names_the_remedy(checkout: Path) -> None:
    lock = checkout / ".cache" / "setup.lock"
    lock.mkdir(parents=True)
    with started(checkout, "preflight") as (process, log):
        assert process.wait(LIMIT_SECONDS) == 1
    assert f"{lock} cannot be written" in log.read_text()
    assert "Remedy" in log.read_text()


@pytest.fixture
def apt_machine(tmp_path: Path) -> dict[str, str]:
    """The environment in which the real apt-get works on a machine of its own.

    The program that says which packages are installed is a fake: none is.
    """
    root = DpkgRoot(tmp_path / "machine").root
    pool = tmp_path / "pool"
    for name in ("ca-certificates", "python3-venv"):
        build_package(pool, FakePackage(name))
    index = subprocess.run(
        ["apt-ftparchive", "packages", "."], cwd=pool, check=True, capture_output=True
    )
    (pool / "Packages").write_bytes(index.stdout)
    for name in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial"):
        (root / name).mkdir(parents=True)
    for name in ("var/cache/apt/archives/partial", "var/log/apt"):
        (root / name).mkdir(parents=True)
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{pool} ./\n")
    settings = tmp_path / "apt.conf"
    settings.write_text(
        f'Dir "{root}/";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
        f'DPkg::Options {{ "--root={root}"; "--log={root}/log"; }};\n'
    )
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    (fakes / "dpkg-query").write_text("#!/bin/sh\nexit 1\n")
    (fakes / "dpkg-query").chmod(0o755)
    return {"APT_CONFIG": str(settings), "PATH": f"{fakes}:{os.environ['PATH']}"}


def test_another_apt_is_waited_for(
    checkout: Path, tmp_path: Path, apt_machine: dict[str, str]
) -> None:
    (checkout / "go").touch()
    root = tmp_path / "machine"
    with (root / "var/lib/apt/lists/lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with started(checkout, "preflight", **apt_machine) as (process, log):
            wait_for(process, log, f"Could not get lock {root}/var/lib/apt/lists/lock")
            assert f"held by process {os.getpid()}" in log.read_text()
            fcntl.lockf(lock, fcntl.LOCK_UN)
            assert process.wait(LIMIT_SECONDS) == 0, log.read_text()
    assert log.read_text().count("Waiting for apt, up to 10 minutes") == 1
    assert "Package: python3-venv" in (root / "var/lib/dpkg/status").read_text()


def test_what_apt_says_is_shown_with_a_remedy(
    checkout: Path, tmp_path: Path, apt_machine: dict[str, str]
) -> None:
    (tmp_path / "machine" / "etc/apt/sources.list").write_text("deb nonsense\n")
    with started(checkout, "preflight", **apt_machine) as (process, log):
        assert process.wait(LIMIT_SECONDS) == 1
    said = log.read_text()
    assert "Malformed entry 1" in said
    assert "Remedy: check the network and /etc/apt/sources.list*" in said
