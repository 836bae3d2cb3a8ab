"""Programs that a variable guards; Python itself reads the file that does it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from rdna1 import guard
from rdna1.worker.variables import worker_environment

ROOT = Path(__file__).parents[3]
AT_START = Path(guard.__file__).parent / "at_start"
ENVELOPE = ROOT / "docs" / "guard-envelope.json"
PROGRAM = f"""
import site
site.addsitedir({str(AT_START)!r})
import sys
assert "torch" not in sys.modules
import torch
torch.nn.Conv2d(3, 4, 3)(torch.rand(1, 3, 90, 50))
from rdna1.guard import status
print(status().split)
"""


def run(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RDNA1_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={**kept, **variables},
    )


@pytest.mark.parametrize(
    ("variables", "split"), [({}, 0), ({"RDNA1_GUARD": "0"}, 0), ({"RDNA1_GUARD": "1"}, 1)]
)
def test_the_variable_guards_a_program_from_its_import_of_torch(
    variables: dict[str, str], split: int
) -> None:
    done = run({"RDNA1_GUARD_ENVELOPE": str(ENVELOPE), **variables})
    assert (done.stdout, done.stderr) == (f"{split}\n", "")


@pytest.mark.parametrize(
    ("variables", "loaded"),
    [({}, False), ({"RDNA1_GUARD": "0"}, False), ({"RDNA1_GUARD": "1"}, True)],
)
def test_a_start_reads_nothing_of_the_folder_of_a_program(
    tmp_path: Path, variables: dict[str, str], loaded: bool
) -> None:
    """An environment's own package is what starts, and only where the variable is set."""
    venv.create(tmp_path / "environment", symlinks=True)
    (packages,) = (tmp_path / "environment").glob("lib/python*/site-packages")
    shutil.copy(AT_START / "rdna1_guard.pth", packages)
    (packages / "a.pth").write_text(f"{ROOT / 'installer'}\n")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "rdna1.py").write_text("raise SystemExit('theirs was read')\n")
    (theirs / "program.py").write_text(
        "import sys\nprint(getattr(sys.modules.get('rdna1'), '__path__', None))\n"
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RDNA1_", "PYTHON"))
    }
    done = subprocess.run(
        [str(tmp_path / "environment" / "bin" / "python"), "program.py"],
        cwd=theirs,
        capture_output=True,
        text=True,
        env={**kept, **variables},
    )
    expected = [str(ROOT / "installer" / "rdna1")] if loaded else None
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")


def test_the_line_at_exit() -> None:
    chosen = {"RDNA1_GUARD": "auto", "RDNA1_GUARD_SUMMARY": "1"}
    done = run({"RDNA1_GUARD_ENVELOPE": str(ENVELOPE), **chosen})
    assert done.stderr.startswith("rdna1.guard: 1 convolutions and gradients: 0 as they are")


def test_without_an_envelope_a_program_runs_and_is_told(tmp_path: Path) -> None:
    done = run({"RDNA1_GUARD": "1", "RDNA1_GUARD_ENVELOPE": str(tmp_path / "no.json")})
    assert done.returncode == 0 and done.stdout == "0\n"
    assert "no.json: No such file" in done.stderr and done.stderr.count("\n") == 1
    done = run({"RDNA1_GUARD": "strict", "RDNA1_GUARD_ENVELOPE": str(tmp_path / "no.json")})
    assert done.returncode == 1 and "EnvelopeError" in done.stderr


def test_an_unknown_value_is_told() -> None:
    done = run({"RDNA1_GUARD": "on"})
    assert done.returncode == 0 and "RDNA1_GUARD=on is none of 0, 1, auto" in done.stderr


def test_what_measures_is_not_guarded(tmp_path: Path) -> None:
    """A guarded measurement would find that everything works."""
    assert "RDNA1_GUARD" not in worker_environment({"RDNA1_GUARD": "1"}, tmp_path, {})


def test_the_wheel_brings_the_file_to_site_packages(tmp_path: Path) -> None:
    uv = ROOT / ".cache" / "uv" / "bin" / "uv"
    if not uv.exists():
        pytest.skip("uv is not set up: ./run lint does it")
    command = [str(uv), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith(".data/purelib/rdna1_guard.pth") for name in names)
