"""Nobody else can open a lock that root's uv waits for: uv makes them with mode 0666."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from integration.venvs.conftest import UV
from rdna1.target.venvs.ensure import ensure

if TYPE_CHECKING:
    from integration.venvs.conftest import MakeSpec
    from rdna1.target.venvs.spec import Spec

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user: needs root")
# Opens every lock below a folder that it can open, and says which; as the user nobody.
LOOK = """
for folder, _, files in os.walk({folder!r}):
    for name in files:
        if name.endswith(".lock"):
            try:
                os.open(os.path.join(folder, name), os.O_RDONLY)
            except PermissionError:
                continue
            print(os.path.join(folder, name))
"""


def locks_of_others(folder: Path) -> str:
    """The locks below a folder that an ordinary user can open."""
    drop = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    program = drop + LOOK.format(folder=str(folder))
    return subprocess.run(
        ["/usr/bin/python3", "-c", program], capture_output=True, text=True, check=True
    ).stdout


def open_the_way(spec: Spec) -> None:
    """Let everybody enter the folders of the test, as those of /opt are."""
    for folder in [spec.prefix.parent, *spec.prefix.parent.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)


def watching_uv(folder: Path, spec: Spec) -> Path:
    """Real uv; once it is done an ordinary user looks for locks, until the build is at its end."""
    program, found = folder / "watching-uv", folder / "found"
    drop = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    look = folder / "look.py"
    look.write_text(drop + LOOK.format(folder=str(spec.prefix)))
    program.write_text(f'#!/bin/sh\n{UV} "$@" || exit\n/usr/bin/python3 {look} >>{found}\n')
    program.chmod(0o755)
    return program


@as_root
def test_no_lock_is_open_to_others_during_a_build_and_after_it(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec(python_path="/usr/bin/python3")
    open_the_way(spec)
    ensure(spec._replace(uv=watching_uv(tmp_path, spec)))
    assert (tmp_path / "found").read_text() == ""
    assert locks_of_others(spec.prefix) == ""
    assert stat.S_IMODE((spec.prefix / "cache").stat().st_mode) == 0o700
    assert not (spec.link / ".lock").exists()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock, as an ordinary user does who could open it."""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_locks_that_an_earlier_release_left_open_are_not_waited_for(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec()
    cache = spec.prefix / "cache"
    (cache / "wheels").mkdir(parents=True)
    for path in (cache / ".lock", cache / "wheels" / "torch.lock"):
        path.touch()
        path.chmod(0o666)
    # uv would wait for minutes: it is told to give up at once.
    impatient = tmp_path / "impatient-uv"
    impatient.write_text(f'#!/bin/sh\nUV_LOCK_TIMEOUT=1 exec {UV} "$@"\n')
    impatient.chmod(0o755)
    with held(cache / ".lock"), held(cache / "wheels" / "torch.lock"):
        assert ensure(spec._replace(uv=impatient)).changed
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (cache, cache / "wheels")}
    assert modes == {0o700}
