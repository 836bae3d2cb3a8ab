"""PyTorch from an index: the stack's wheels, here stand-ins on loopback."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from rdna1.stacks import load_stack
from support.boxes import ROOT, Box
from support.pythons import find_python
from support.wheels import serve, write_stand_in

PIP = ROOT / ".cache" / "uv" / "bin" / "pip"
OWN_REQUIREMENTS = ["msgspec", "packaging", "PyYAML", "rich"]
PYTHON = "/opt/rdna1/rocm-5.7/bin/python"


@pytest.fixture
def python_3_12() -> Path:
    """Folder of a Python 3.12 that can be shown to a box, whose own is too new for the wheels."""
    python = find_python("3.12")
    if python is None:
        pytest.skip("no Python 3.12 on this machine to lend to the box")
    return python.parents[1]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """An index with stand-ins of the stack's wheels and the real ones that rdna1 imports."""
    folder = tmp_path / "index"
    for text in load_stack("rocm-5.7").pytorch.requirements:
        requirement = Requirement(text)
        pinned = next((s.version for s in requirement.specifier if s.operator == "=="), "1.26.4")
        write_stand_in(folder, requirement.name, pinned)
    # A newer build of another kind, which must not win.
    write_stand_in(folder, "torch", "2.13.0")
    download = tmp_path / "download"
    options = ["--quiet", "--only-binary=:all:", "--python-version=3.12", f"--dest={download}"]
    subprocess.run([PIP, "download", *options, *OWN_REQUIREMENTS], check=True)
    for wheel in download.iterdir():
        project = folder / parse_wheel_filename(wheel.name)[0]
        project.mkdir(exist_ok=True)
        wheel.rename(project / wheel.name)
    with serve(folder) as address:
        yield address


def test_the_stacks_wheels_are_installed_from_the_index(
    make_box: Callable[..., Box], python_3_12: Path, index: str
) -> None:
    box = make_box(f"--volume={python_3_12}:{python_3_12}:ro")
    box.run("ln", "-s", f"{python_3_12}/bin/python3.12", "/usr/local/bin/python3.12")
    variables = {
        "rdna1_pytorch_source": "index",
        "pytorch_index_url": index,
        "pytorch_project_index_url": index,
        # The box has no room for what the real wheels need, and stand-ins need none.
        "preflight_ignore": ["card", "kernel-driver", "kfd", "disk-space"],
    }
    play = ("--tags=pytorch", f"--extra-vars={json.dumps(variables)}")
    played = box.play(*play)
    assert played.returncode == 0, played.stdout
    assert box.run(PYTHON, "-c", "import sys; print(sys.version_info[:2])").strip() == "(3, 12)"
    assert (
        box.run(PYTHON, "-c", "import torch; print(torch.__version__)").strip() == "2.2.2+rocm5.7"
    )
    assert box.run("/opt/rdna1/rocm-5.7/bin/rdna1-preflight", "list")
    again = box.play(*play)
    assert again.returncode == 0, again.stdout
    assert "changed=0" in again.stdout


def test_an_index_without_the_wheels_is_explained(
    make_box: Callable[..., Box], python_3_12: Path, tmp_path: Path
) -> None:
    write_stand_in(tmp_path / "empty", "torch", "2.13.0")
    box = make_box(f"--volume={python_3_12}:{python_3_12}:ro")
    box.run("ln", "-s", f"{python_3_12}/bin/python3.12", "/usr/local/bin/python3.12")
    with serve(tmp_path / "empty") as address:
        variables = {
            "rdna1_pytorch_source": "index",
            "pytorch_index_url": address,
            "preflight_ignore": ["card", "kernel-driver", "kfd", "disk-space"],
        }
        played = box.play("--tags=pytorch", f"--extra-vars={json.dumps(variables)}")
    assert played.returncode != 0
    assert "Cause: the index has no wheel" in played.stdout
