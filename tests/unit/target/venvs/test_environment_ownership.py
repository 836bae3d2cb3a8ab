"""Who could write to an environment of root's, and what is done about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdna1.target.venvs.ownership import closed, foreign, open_to_all, others_could_write

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")
OTHER = 65534


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with one module, which all may read."""
    environment = tmp_path / "opt" / "environments" / "x"
    (environment / "lib").mkdir(parents=True)
    (environment / "lib" / "torch.py").touch()
    for path in (tmp_path / "opt", *(tmp_path / "opt").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert not others_could_write(environment, tmp_path / "opt")
    assert not closed(environment, tmp_path / "opt")
    return environment


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_folder_that_others_could_write(environment: Path, mode: int) -> None:
    (environment / "lib").chmod(mode)
    assert others_could_write(environment, environment.parents[1])


def test_a_file_that_is_of_another_user(environment: Path) -> None:
    prefix = environment.parents[1]
    # Python would run it as root; nothing that is installed names it.
    os.chown(environment / "lib" / "torch.py", OTHER, OTHER)
    assert others_could_write(environment, prefix)
    assert "is of another user than root" in closed(environment, prefix)[0].text


def test_the_lock_of_uv_is_nothing_that_is_read(environment: Path) -> None:
    (environment / ".lock").touch()
    (environment / ".lock").chmod(0o666)
    assert not others_could_write(environment, environment.parents[1])


def test_modes_are_changed_of_no_file_that_a_link_names(environment: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    (environment / "lib" / "link.py").symlink_to(secret)
    (environment / "lib" / "torch.py").chmod(0o600)
    open_to_all(environment, environment.parents[1])
    assert secret.stat().st_mode & 0o777 == 0o600
    assert (environment / "lib" / "torch.py").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o775, OTHER), (0o755, OTHER)])
def test_a_folder_of_roots_that_others_could_write_is_refused(
    environment: Path, mode: int, owner: int
) -> None:
    prefix = environment.parents[1]
    assert foreign(prefix, "stack") == ""
    (prefix / "bin").mkdir()
    (prefix / "bin").chmod(mode)
    os.chown(prefix / "bin", owner, owner)
    assert "can be written by others than root" in foreign(prefix, "stack")
