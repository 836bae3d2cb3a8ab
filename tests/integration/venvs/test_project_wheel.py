"""This project's wheel, built by real uv from a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rdna1.wheels.project import WheelError, project_wheel

ROOT = Path(__file__).parents[3]
UV = Path(sys.executable).with_name("uv")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one module, with this one's metadata."""
    folder = tmp_path / "project"
    (folder / "installer" / "rdna1").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "installer" / "rdna1" / "__init__.py").write_text('"""A module."""\n')
    # That pyproject.toml names.
    (folder / "installer" / "rdna1" / "guard" / "at_start").mkdir(parents=True)
    return folder


def modules(wheel: Path) -> set[str]:
    return {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if name.startswith("rdna1/") and name[-1] != "/"
    }


def test_the_wheel_holds_the_sources_and_is_built_once(project: Path) -> None:
    wheel = project_wheel(project, UV)
    assert modules(wheel) == {"rdna1/__init__.py"}
    built = wheel.stat()
    # What Python leaves next to the sources is none of them.
    (project / "installer/rdna1/__pycache__").mkdir()
    (project / "installer/rdna1/__pycache__/x.pyc").write_text("")
    assert project_wheel(project, Path("/nowhere/uv")) == wheel
    assert wheel.stat() == built


def test_other_sources_make_another_wheel(project: Path) -> None:
    first = project_wheel(project, UV)
    (project / "installer" / "rdna1" / "data.yml").write_text("a: 1\n")
    second = project_wheel(project, UV)
    assert second != first
    assert modules(second) - modules(first) == {"rdna1/data.yml"}
    (project / "installer" / "rdna1" / "data.yml").unlink()
    assert project_wheel(project, UV) == first


def test_everything_that_the_wheel_is_built_from_counts(project: Path) -> None:
    wheels = {project_wheel(project, UV)}
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        with (project / name).open("a") as file:
            file.write("\n")
        wheels.add(project_wheel(project, UV))
    assert len(wheels) == 4


def test_no_settings_of_the_caller_or_of_a_folder_steer_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path / "uv.toml", project / "uv.toml"):
        path.write_text("nonsense = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    assert modules(project_wheel(project, UV)) == {"rdna1/__init__.py"}


def test_many_at_once_get_the_same_whole_wheel(project: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        wheels = set(pool.map(lambda _: project_wheel(project, UV), range(4)))
    assert len(wheels) == 1
    assert modules(wheels.pop()) == {"rdna1/__init__.py"}


def test_what_uv_says_is_said(project: Path) -> None:
    with pytest.raises(WheelError, match=r"/nowhere/uv: No such file.*Remedy: set pytorch_uv"):
        project_wheel(project, Path("/nowhere/uv"))
    (project / "pyproject.toml").write_text("[project\n")
    with pytest.raises(WheelError, match=r"could not be built: (?s:.*)TOML"):
        project_wheel(project, UV)
    assert not list(project.glob(".cache/wheels/*/*.whl"))


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user: needs root")
def test_no_other_user_can_hold_the_lock_of_a_build() -> None:
    # In a place that everybody can enter, as a checkout of root's is.
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        project.chmod(0o755)
        (project / "installer" / "rdna1").mkdir(parents=True)
        for source in ("pyproject.toml", "README.md", "LICENSE"):
            (project / source).touch()
        # A fake uv: what it builds is of no interest here.
        uv = project / "uv"
        uv.write_text('#!/bin/sh\nwhile [ "$1" != --out-dir ]; do shift; done; touch "$2/a.whl"\n')
        uv.chmod(0o755)
        project_wheel(project, uv)
        locks = [path for path in project.rglob("*lock*") if path.is_file()]
        stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = [subprocess.run([*stranger, "cat", path], check=False).returncode for path in locks]
        assert 0 not in done, f"another user can open and lock {locks}"
