"""Environments that real uv builds from fakes: switched whole, repaired, removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdna1.catalog.failures import explain
from rdna1.target.venvs.build import BuildError
from rdna1.target.venvs.ensure import Result, ensure
from rdna1.target.venvs.spec import Spec, digest
from support.umasks import umask_of
from support.wheels import write_fake_wheel

if TYPE_CHECKING:
    from integration.venvs.conftest import MakeSpec


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
    other = with_wheel(make_spec(), write_fake_wheel(tmp_path / "newer", "rdna1", "0.2.0"))
    assert "by hand" not in (site(ensure(other).after) / "torch.py").read_text()


def test_the_last_two_environments_stay(make_spec: MakeSpec, tmp_path: Path) -> None:
    wheels = [write_fake_wheel(tmp_path / n, "rdna1", f"0.1.{n}") for n in ("1", "2", "3")]
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
    # As releases before the marker left it: with this project in it.
    (spec.link / "lib/python3.12/site-packages/rdna1-0.1.0.dist-info").mkdir(parents=True)
    (spec.link / "pyvenv.cfg").touch()
    result = ensure(spec)
    assert spec.link.is_symlink()
    assert Path(result.before, "pyvenv.cfg").exists()


def owners_folder(spec: Spec) -> None:
    spec.link.mkdir(parents=True)
    (spec.link / "data").write_text("mine")


def owners_venv(spec: Spec) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", spec.link], check=True)
    (spec.link / "data").write_text("mine")


def owners_link(spec: Spec) -> None:
    folder = spec.prefix.parent / "elsewhere"
    folder.mkdir(parents=True)
    (folder / "data").write_text("mine")
    spec.prefix.mkdir(parents=True)
    spec.link.symlink_to(folder)


def owners_file(spec: Spec) -> None:
    spec.prefix.mkdir(parents=True)
    spec.link.write_text("mine")


@pytest.mark.parametrize("make", [owners_folder, owners_venv, owners_link, owners_file])
def test_what_somebody_else_put_there_is_refused_and_stays(
    make_spec: MakeSpec, make: Callable[[Spec], None]
) -> None:
    spec = make_spec()
    make(spec)
    for check_only in (True, False):
        with pytest.raises(BuildError, match=r"is not of this project: .*Remedy: move it away"):
            ensure(spec, check_only=check_only)
    assert not spec.folder.exists()
    data = spec.link if spec.link.is_file() else spec.link / "data"
    assert data.read_text() == "mine"


@pytest.fixture(params=["077", "027", "000"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The umask of whoever runs it."""
    with umask_of(int(request.param, 8)):
        yield


def as_user(spec: Spec) -> str:
    """What torch's version is to an ordinary user, who can enter the folders around."""
    for folder in [spec.prefix.parent, *spec.prefix.parent.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)
    program = "import torch, numpy; print(torch.__version__)"
    command = [str(spec.link / "bin/python"), "-c", program]
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr


def open_to_writing(spec: Spec) -> list[Path]:
    paths = [spec.prefix, *spec.folder.rglob("*")]
    return [p for p in paths if not p.is_symlink() and p.stat().st_mode & 0o022]


@pytest.mark.usefixtures("umask")
@pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes another user")
def test_everybody_may_use_it_whatever_the_umask(make_spec: MakeSpec) -> None:
    spec = make_spec(python_path="/usr/bin/python3")
    ensure(spec)
    assert as_user(spec) == "2.2.2+rocm5.7"
    assert open_to_writing(spec) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes another user")
@pytest.mark.parametrize("mode", [0o700, 0o750])
def test_modes_that_an_earlier_run_left_are_mended_without_a_build(
    make_spec: MakeSpec, mode: int
) -> None:
    spec = make_spec(python_path="/usr/bin/python3")
    built = ensure(spec)
    for path in [spec.prefix, spec.folder, *spec.folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(mode)
    found = ensure(spec, check_only=True)
    assert found.changed
    assert "has the mode" in found.reason
    mended = ensure(spec._replace(uv=Path("/nonexistent")))
    assert (mended.changed, mended.after) == (True, built.after)
    assert as_user(spec) == "2.2.2+rocm5.7"
    assert open_to_writing(spec) == []
    assert not ensure(spec).changed


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone has folders of its own")
@pytest.mark.parametrize(("name", "mode", "owner"), [("", 0o777, 0), ("bin", 0o755, 65534)])
def test_a_folder_that_others_could_write_is_refused(
    make_spec: MakeSpec, name: str, mode: int, owner: int
) -> None:
    spec = make_spec()
    folder = spec.prefix / name
    folder.mkdir(parents=True)
    folder.chmod(mode)
    os.chown(folder, owner, owner)
    with pytest.raises(BuildError, match=r"can be written by others than root.*Remedy: look at"):
        ensure(spec)
    assert not spec.folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="acts on files that only root reads")
def test_modes_are_changed_of_no_file_that_a_link_names(make_spec: MakeSpec) -> None:
    spec = make_spec(python_path="/usr/bin/python3")
    built = ensure(spec)
    secret = spec.prefix.parent / "secret"
    secret.touch(mode=0o600)
    (site(built.after) / "link.py").symlink_to(secret)
    (site(built.after) / "torch.py").chmod(0o600)
    assert ensure(spec).changed
    assert secret.stat().st_mode & 0o777 == 0o600


def test_a_killed_uv_is_told_by_its_signal_with_a_remedy(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    # As the kernel does where the memory is used up; the program is the test's own.
    program = tmp_path / "killed"
    program.write_text("#!/bin/sh\nkill -KILL $$\n")
    program.chmod(0o755)
    with pytest.raises(BuildError, match="uv venv was killed by SIGKILL") as raised:
        ensure(make_spec(uv=program))
    text = explain(str(raised.value))
    assert "Cause: a program that builds the environment was killed (SIGKILL)" in text
    assert "memory was used up" in text


def test_what_a_killed_uv_left_in_its_cache_goes(make_spec: MakeSpec) -> None:
    spec = make_spec()
    left = spec.prefix / "cache" / ".tmpAbC123"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    ensure(spec)
    assert list(spec.prefix.glob("cache/.tmp*")) == []


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
    write_fake_wheel(index_folder, "torch", "2.2.2+rocm5.7", ["filelock"], payload=b"evil")
    # A box that has not seen the good file.
    fresh = with_wheel(spec, write_fake_wheel(spec.prefix, "rdna1", "0.2.0"))
    (spec.prefix / "cache").rename(spec.prefix / "old-cache")
    words = failed(fresh, before)
    assert "Hash mismatch for `torch==2.2.2+rocm5.7`" in words
    told = explain(words)
    assert "Cause: the file of torch==2.2.2+rocm5.7 is not the one whose hash" in told
    assert "Remedy: " in told


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
    told = explain(said)
    assert "Cause: the lock file has no hash for numpy" in told
    assert "Remedy: " in told


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
    wheel = write_fake_wheel(spec.prefix, "rdna1", "0.2.0")
    words = failed(with_wheel(spec, wheel)._replace(index_url="http://127.0.0.1:9/"), before)
    assert "Connection refused" in words


def test_a_killed_build_is_done_again(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec()
    before = ensure(spec)
    # A fake for a slow build: it goes on as real uv, a long time after the folder was made.
    slow = tmp_path / "slow-uv"
    slow.write_text(f'#!/bin/sh\n[ "$1" != pip ] || sleep 600\nexec {spec.uv} "$@"\n')
    slow.chmod(0o755)
    wheel = write_fake_wheel(tmp_path / "newer", "rdna1", "0.2.0")
    newer = with_wheel(spec, wheel)
    program = (
        "import sys; from pathlib import Path\n"
        "from rdna1.target.venvs.ensure import ensure; from rdna1.target.venvs.spec import Spec\n"
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
