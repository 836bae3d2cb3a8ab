"""A Python that uv manages: fetched from a mirror, accepted by its hash alone.

The archive is made from a Python of this machine, so it cannot have the hash that uv knows of the
real one. The list that names its hash stands in for uv's own; fetching, verifying, unpacking and
using it are uv's.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from integration.venvs.conftest import UV
from rdna1.target.venvs.build import BuildError
from rdna1.target.venvs.ensure import ensure
from support.pythons import find_python
from support.wheels import serve

if TYPE_CHECKING:
    from integration.venvs.conftest import MakeSpec

LIST = "UV_PYTHON_DOWNLOADS_JSON_URL"


def uv_with_list(folder: Path, pythons: Path) -> Path:
    """Real uv, started with another list: of the caller's variables uv of ours takes none."""
    program = folder / "uv-with-list"
    program.write_text(f'#!/bin/sh\n{LIST}={pythons} exec {UV} "$@"\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of a Python 3.10 in a folder as a mirror has it."""
    python = find_python("3.10")
    if python is None:
        pytest.skip("no Python 3.10 on this machine to make an archive of")
    path = tmp_path / "mirror" / "20220630" / "python.tar.gz"
    path.parent.mkdir(parents=True)

    def without_packages(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        large = ("site-packages", "/test/", "__pycache__", ".a")
        return None if any(part in entry.name for part in large) else entry

    with tarfile.open(path, "w:gz", compresslevel=1) as file:
        file.add(python.parents[1], "python", filter=without_packages)
    return path


def write_list(folder: Path, version: str, url: str, sha256: str) -> Path:
    """A list of Pythons in the form of uv's own, with one entry."""
    entry = {
        "name": "cpython",
        "arch": {"family": "x86_64", "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": 3,
        "minor": 10,
        "patch": int(version.rpartition(".")[2]),
        "prerelease": "",
        "url": url,
        "sha256": sha256,
        "variant": None,
        "build": "20220630",
    }
    path = folder / "pythons.json"
    path.write_text(json.dumps({f"cpython-{version}-linux-x86_64-gnu": entry}))
    return path


def version_of(archive: Path) -> str:
    """Version of the Python in an archive."""
    with tarfile.open(archive) as file:
        header = file.extractfile("python/include/python3.10/patchlevel.h")
        assert header
        line = next(row for row in header if row.startswith(b"#define PY_VERSION "))
    return line.decode().split('"')[1]


@pytest.mark.parametrize("intact", [True, False])
def test_uv_takes_a_python_from_a_list_and_verifies_it(
    make_spec: MakeSpec,
    archive: Path,
    tmp_path: Path,
    intact: bool,
) -> None:
    version = version_of(archive)
    sha256 = hashlib.sha256(archive.read_bytes() if intact else b"another").hexdigest()
    with serve(archive.parents[1]) as address:
        url = f"{address}20220630/{archive.name}"
        uv = uv_with_list(tmp_path, write_list(tmp_path, version, url, sha256))
        spec = make_spec(python="3.10", python_path="", uv=uv)
        if not intact:
            with pytest.raises(BuildError, match=r"(?i)hash mismatch"):
                ensure(spec)
            assert not spec.link.exists()
            return
        result = ensure(spec)
    # uv names the minor version only: it may put a newer patch release in its place.
    assert result.python == "3.10"
    interpreter = (spec.link / "bin" / "python").resolve()
    assert interpreter.is_relative_to(spec.prefix / "python")
    assert (spec.prefix / "python" / ".lock").stat().st_mode & 0o777 == 0o600


def test_the_mirror_is_asked_for_the_archives_that_uv_knows(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    (tmp_path / "mirror").mkdir()
    with serve(tmp_path / "mirror") as address:
        spec = make_spec(python="3.10", python_path="", python_mirror=address)
        with pytest.raises(BuildError, match=f"(?s){address}.*cpython-3.10.*404"):
            ensure(spec)


def test_no_variable_names_the_pythons_that_root_runs(
    make_spec: MakeSpec, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    with serve(archive.parents[1]) as address:
        url = f"{address}20220630/{archive.name}"
        monkeypatch.setenv(LIST, str(write_list(tmp_path, version_of(archive), url, sha256)))
        spec = make_spec(python="3.10", python_path="", python_mirror=f"{address}nothing/")
        with pytest.raises(BuildError, match=r"(?s)/nothing/.*cpython-3\.10.*404"):
            ensure(spec)


@pytest.mark.parametrize("intact", [True, False])
def test_a_kept_archive_takes_the_place_of_the_network(
    make_spec: MakeSpec,
    archive: Path,
    tmp_path: Path,
    intact: bool,
) -> None:
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    cache = tmp_path / "kept"
    with serve(archive.parents[1]) as address:
        url = f"{address}20220630/{archive.name}"
        uv = uv_with_list(tmp_path, write_list(tmp_path, version_of(archive), url, sha256))
        # As playbooks/mirror.yml does.
        command = [str(uv), "python", "install", "--no-config", "--no-bin", "3.10"]
        folders = {
            "UV_PYTHON_CACHE_DIR": str(cache),
            "UV_PYTHON_INSTALL_DIR": str(tmp_path / "unpacked"),
        }
        subprocess.run(command, env={**os.environ, **folders}, check=True)
    (kept,) = cache.iterdir()
    spec = make_spec(python="3.10", python_path="", python_cache=str(cache), uv=uv)
    if intact:
        assert ensure(spec).python == "3.10"
        return
    kept.write_bytes(kept.read_bytes() + b"another")
    with pytest.raises(BuildError, match=r"(?i)hash mismatch"):
        ensure(spec)
    assert not spec.link.exists()
