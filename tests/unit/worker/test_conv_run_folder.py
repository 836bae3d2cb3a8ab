"""Folders of runs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rdna1.worker.run_folder import RunFolder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_of_a_living_run_stays_and_is_removed_by_it(place: Path) -> None:
    first, second = RunFolder(), RunFolder()
    assert set(place.iterdir()) == {first.path, second.path}
    first.remove()
    assert list(place.iterdir()) == [second.path]
    second.remove()
    assert list(place.iterdir()) == []


def test_a_folder_of_a_killed_run_is_removed_by_the_next(place: Path) -> None:
    script = (
        "import os, signal, sys, tempfile; from rdna1.worker.run_folder import RunFolder; "
        "tempfile.tempdir = sys.argv[1]; (RunFolder().path / 'file').touch(); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(place)], check=False)
    (left_over,) = place.iterdir()
    assert (left_over / "file").exists()
    folder = RunFolder()
    assert list(place.iterdir()) == [folder.path]
    folder.remove()


def test_links_and_files_of_that_name_are_left_alone(place: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "inner").mkdir(parents=True)
    (place / "rdna1-conv-link").symlink_to(kept)
    (place / "rdna1-conv-file").touch()
    RunFolder().remove()
    assert (kept / "inner").is_dir()
    assert {path.name for path in place.iterdir()} == {"kept", "rdna1-conv-link", "rdna1-conv-file"}
