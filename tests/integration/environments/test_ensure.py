"""Environments that real uv builds from stand-ins: switched whole, repaired, removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdna1.environments.build import BuildError
from rdna1.environments.ensure import Result, ensure
from rdna1.environments.spec import Spec, digest
from rdna1.failures import explain
from support.wheels import write_stand_in

if TYPE_CHECKING:
    from integration.environments.conftest import MakeSpec


def site(environment: str) -> Path:
    return next(Path(environment).glob("lib/python3*/site-packages"))


def with_wheel(spec: Spec, wheel: Path) -> Spec:
    """The same environment with another wheel of this project."""
    return spec._replace(wheel=wheel, wheel_digest=digest(wheel))


def environments(spec: Spec) -> set[str]:
    return {str(path) for path in spec.folder.iterdir() if path.is_dir()}


def test_a_first_and_a_second_run(make_spec: MakeSpec) -> None:
    spec = make_spec()
    first = ensure(spec)
    assert first.changed
    assert first.before == ""
    assert str(spec.link.readlink()) == first.after
    assert first.packages == {
        "torch": "2.2.2+rocm5.7",
        "filelock": "3.1",
        "numpy": "1.26.4",
        "msgspec": "0.19.0",
        "rdna1": "0.1.0",
    }
    assert first.python == sys.version.split()[0]
    compiled = {path.name.split(".")[0] for path in site(first.after).glob("__pycache__/*.pyc")}
    assert {"torch", "numpy", "rdna1"} <= compiled
    # Whoever can open the file of a lock can hold it.
    assert (spec.folder / ".lock").stat().st_mode & 0o777 == 0o600
    # No uv is needed to see that nothing is to be done.
    second = ensure(spec._replace(uv=Path("/nonexistent")))
    assert (second.changed, second.after, second.removed) == (False, first.after, [])


def test_the_wheel_is_looked_at_again_before_it_is_installed(make_spec: MakeSpec) -> None:
    spec = make_spec()
    with spec.wheel.open("ab") as file:
        file.write(b"tampered")
    with pytest.raises(BuildError, match="is not the wheel that was copied"):
        ensure(spec)
    assert environments(spec) == set()


def test_check_mode_builds_nothing(make_spec: MakeSpec) -> None:
    spec = make_spec()
    result = ensure(spec, check_only=True)
    assert result.changed
    assert not spec.prefix.exists()
    assert ensure(spec).after == result.after


def remove(environment: str) -> None:
    done = subprocess.run(
        ["uv", "pip", "uninstall", "--quiet", f"--python={environment}", "filelock"], check=False
    )
    assert done.returncode == 0


def edit(environment: str) -> None:
    # In place, as an editor may do it: the file of uv's cache is the same one.
    with (site(environment) / "torch.py").open("a") as file:
        file.write("# by hand\n")


def delete(environment: str) -> None:
    (site(environment) / "numpy.py").unlink()


def add(environment: str) -> None:
    (site(environment) / "odd-1.0.dist-info").mkdir()
    (site(environment) / "odd-1.0.dist-info" / "RECORD").touch()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (remove, "filelock is missing, it was 3.1"),
        (edit, "torch: torch.py is missing or was altered"),
        (delete, "numpy: numpy.py is missing or was altered"),
        (add, "odd was added"),
    ],
)
def test_a_change_by_hand_is_repaired(make_spec: MakeSpec, change: object, reason: str) -> None:
    spec = make_spec()
    first = ensure(spec)
    assert callable(change)
    change(first.after)
    repaired = ensure(spec)
    assert repaired.changed
    assert reason in repaired.reason
    assert repaired.after != first.after
    assert repaired.packages == first.packages
    assert "by hand" not in (site(repaired.after) / "torch.py").read_text()
    assert not ensure(spec).changed


def test_a_cache_with_an_altered_file_does_not_spoil_the_next_environment(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    edit(ensure(make_spec()).after)
    other = with_wheel(make_spec(), write_stand_in(tmp_path / "newer", "rdna1", "0.2.0"))
    assert "by hand" not in (site(ensure(other).after) / "torch.py").read_text()


def test_the_last_two_environments_stay(make_spec: MakeSpec, tmp_path: Path) -> None:
    wheels = [write_stand_in(tmp_path / n, "rdna1", f"0.1.{n}") for n in ("1", "2", "3")]
    spec = make_spec()
    # Another stack whose name starts with this one's.
    ensure(spec._replace(stack="rocm-5.7-mine"))
    made = [ensure(with_wheel(spec, wheel)) for wheel in wheels]
    assert [result.removed for result in made] == [[], [], [made[0].after]]
    assert made[2].before == made[1].after
    assert {made[1].after, made[2].after} < environments(spec)
    assert len(environments(spec)) == 3
    # The one before is used again as it is.
    back = ensure(with_wheel(spec, wheels[1])._replace(uv=Path("/nonexistent")))
    assert (back.after, back.changed) == (made[1].after, True)


def test_a_folder_of_an_older_release_gives_way_to_the_link(make_spec: MakeSpec) -> None:
    spec = make_spec()
    spec.link.mkdir(parents=True)
    (spec.link / "pyvenv.cfg").touch()
    result = ensure(spec)
    assert spec.link.is_symlink()
    assert Path(result.before, "pyvenv.cfg").exists()


def failed(spec: Spec, before: Result) -> str:
    """The words of a build that fails, and leaves what was there before in use."""
    with pytest.raises(BuildError) as caught:
        ensure(spec)
    assert str(spec.link.readlink()) == before.after
    assert environments(spec) == {before.after}
    return str(caught.value)


def test_a_tampered_wheel(make_spec: MakeSpec, index_folder: Path) -> None:
    spec = make_spec()
    before = ensure(spec)
    write_stand_in(index_folder, "torch", "2.2.2+rocm5.7", ["filelock"], payload=b"evil")
    # A box that has not seen the good file.
    fresh = with_wheel(spec, write_stand_in(spec.prefix, "rdna1", "0.2.0"))
    (spec.prefix / "cache").rename(spec.prefix / "old-cache")
    words = failed(fresh, before)
    assert "Hash mismatch for `torch==2.2.2+rocm5.7`" in words


@pytest.mark.parametrize(
    ("lose", "words"),
    [
        ("--hash", "must have a hash, but none were provided for: numpy==1.26.4"),
        ("pin", "must have their versions pinned with `==`, but found: numpy"),
    ],
)
def test_a_lock_without_a_hash(make_spec: MakeSpec, lose: str, words: str) -> None:
    spec = make_spec()
    before = ensure(spec)
    start, end = spec.lock.index("numpy=="), spec.lock.index("torch==")
    kept = "numpy==1.26.4\n" if lose == "--hash" else "numpy\n"
    said = failed(spec._replace(lock=spec.lock[:start] + kept + spec.lock[end:]), before)
    assert words in " ".join(said.split())
    assert "Cause: the lock file has no hash for numpy" in explain(said)


def test_a_lock_without_a_dependency(make_spec: MakeSpec) -> None:
    spec = make_spec()
    before = ensure(spec)
    start, end = spec.lock.index("filelock=="), spec.lock.index("numpy==")
    words = failed(spec._replace(lock=spec.lock[:start] + spec.lock[end:]), before)
    assert "filelock" in words


def test_no_index(make_spec: MakeSpec) -> None:
    spec = make_spec()
    before = ensure(spec)
    (spec.prefix / "cache").rename(spec.prefix / "old-cache")
    wheel = write_stand_in(spec.prefix, "rdna1", "0.2.0")
    words = failed(with_wheel(spec, wheel)._replace(index_url="http://127.0.0.1:9/"), before)
    assert "Connection refused" in words


def test_a_killed_build_is_done_anew(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec()
    before = ensure(spec)
    # A stand-in for a slow build: it goes on as real uv, a long time after the folder was made.
    slow = tmp_path / "slow-uv"
    slow.write_text(f'#!/bin/sh\n[ "$1" != pip ] || sleep 600\nexec {spec.uv} "$@"\n')
    slow.chmod(0o755)
    wheel = write_stand_in(tmp_path / "newer", "rdna1", "0.2.0")
    newer = with_wheel(spec, wheel)
    program = (
        "import sys; from pathlib import Path\n"
        "from rdna1.environments.ensure import ensure; from rdna1.environments.spec import Spec\n"
        f"from pathlib import PosixPath; ensure({newer._replace(uv=slow)!r})"
    )
    build = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    unfinished = spec.folder / f"{spec.stack}-{newer.identity()}"
    deadline = time.monotonic() + 60
    while not (unfinished / "pyvenv.cfg").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(build.pid, signal.SIGKILL)
    assert build.wait() == -signal.SIGKILL
    assert str(spec.link.readlink()) == before.after
    result = ensure(newer)
    assert result.after == str(unfinished)
    assert result.packages["rdna1"] == "0.2.0"
