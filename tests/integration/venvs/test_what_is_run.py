"""Nothing is run that is not what was sent, and nothing is built that a lock or an index names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from integration.venvs.conftest import PYTHON, UV
from rdna1.target.venvs.build import BuildError
from rdna1.target.venvs.ensure import ensure
from rdna1.target.venvs.spec import LOCK_MARK, digest
from rdna1.wheels import LockError, Wanted, make_lock
from support.ansible_module import run_module
from support.wheels import write_fake_wheel, write_source

if TYPE_CHECKING:
    from integration.venvs.conftest import MakeSpec


def program(path: Path, ran: Path) -> Path:
    """A program that says that it ran."""
    path.write_text(f"#!/bin/sh\ntouch {ran}\n")
    path.chmod(0o755)
    return path


def test_a_copy_that_was_changed_on_the_way_is_not_run(tmp_path: Path) -> None:
    """Until it is moved to its place, programs of the user who logged in can write it."""
    ran = tmp_path / "ran"
    wheel = write_fake_wheel(tmp_path / "project", "rdna1", "0.1.0")
    result = run_module(
        "rdna1_venv",
        {
            "stack": "rocm-5.7",
            "prefix": str(tmp_path / "opt"),
            "python": PYTHON,
            "uv": str(tmp_path / "opt/bin/uv"),
            "uv_digest": digest(UV),
            "uv_copy": str(program(tmp_path / "copy", ran)),
            "wheel": str(wheel),
            "wheel_digest": digest(wheel),
        },
        tmp_path,
    )
    assert "is not the program that was copied. Remedy: run again" in str(result.get("msg"))
    assert not ran.exists()
    assert not (tmp_path / "opt/bin/uv").exists()


def test_a_program_that_was_changed_in_its_place_is_not_run(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    spec = make_spec()._replace(uv=program(tmp_path / "uv", ran), uv_digest=digest(UV))
    with pytest.raises(BuildError, match="is not the program that was copied"):
        ensure(spec)
    assert not ran.exists()


def source(index_folder: Path, ran: Path) -> Path:
    """A source distribution whose build says that it ran."""
    text = f"open({str(ran)!r}, 'w').close()\nfrom setuptools import setup\nsetup()\n"
    return write_source(index_folder, "filelock", "9.9", text)


def test_a_first_lock_builds_nothing(wanted: Wanted, index_folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    source(index_folder, ran)
    assert "filelock==3.1 " in make_lock(wanted, UV), "the wheel, though there is a newer source"
    with pytest.raises(LockError):
        make_lock(wanted._replace(stack=["filelock==9.9"]), UV)
    assert not ran.exists()


def test_a_source_that_a_lock_names_is_not_built(
    make_spec: MakeSpec, index_folder: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    archive = source(index_folder, ran)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    lock = f"filelock==9.9 \\\n    --hash=sha256:{sha256}\n{LOCK_MARK}"
    with pytest.raises(BuildError, match="filelock"):
        ensure(make_spec(lock=lock))
    offline = make_spec(lock=lock, find_links=str(archive.parent))
    with pytest.raises(BuildError, match="filelock"):
        ensure(offline)
    assert not ran.exists()


def test_no_file_of_the_working_folder_and_no_variable_steers_a_build(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, spec = tmp_path / "working", make_spec()
    folder.mkdir()
    (folder / "uv.toml").write_text('no-index = true\ncache-dir = "from-a-file"\n')
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=4"\n'
        "[tool.uv]\nno-index = true\n"
    )
    (folder / ".python-version").write_text("2.7\n")
    (folder / ".env").write_text("UV_NO_INDEX=1\n")
    monkeypatch.chdir(folder)
    steering = {
        "UV_CONFIG_FILE": str(folder / "uv.toml"),
        "UV_ENV_FILE": str(folder / ".env"),
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(folder / "from-a-variable"),
        "UV_LINK_MODE": "symlink",
        "UV_CONSTRAINT": str(folder / "nothing.txt"),
        "UV_PYTHON": "2.7",
    }
    for name, value in steering.items():
        monkeypatch.setenv(name, value)
    assert ensure(spec).packages["torch"] == "2.2.2+rocm5.7"
    assert {path.name for path in folder.iterdir()} == {
        *("uv.toml", "pyproject.toml", ".python-version", ".env")
    }
