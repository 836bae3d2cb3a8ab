"""Boxes that get PyTorch from an index of stand-ins."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from rdna1.stacks import load_stack
from support.boxes import ROOT, Box
from support.pythons import find_python
from support.wheels import write_stand_in

PIP = ROOT / ".cache" / "uv" / "bin" / "pip"
OWN_REQUIREMENTS = ["distro", "msgspec", "packaging", "PyYAML", "rich"]

MakeBox = Callable[..., Box]
# What the machine that runs the tests lends to a box, whose own Python is too new for the wheels.
LENT = {"rocm-5.7": "3.12", "rocm-5.2": "3.10"}
# What a box has not; and no room for what the real wheels need, where stand-ins need none.
IGNORED = ["card", "kernel-driver", "kfd", "disk-space"]


def fill_index(folder: Path) -> None:
    """Fill an index with stand-ins of all stacks' wheels."""
    for stack in map(load_stack, LENT):
        for requirement in map(Requirement, stack.pytorch.requirements):
            pinned = [s.version for s in requirement.specifier if s.operator == "=="]
            write_stand_in(folder, requirement.name, next(iter(pinned), "1.26.4"))
    for name in ("torch", "torchvision"):
        extra = 'amd-device-gfx1010; extra == "device-gfx1010"'
        write_stand_in(folder, name, "2.14.0+rocm10", ["extra:device-gfx1010", extra])
    write_stand_in(folder, "amd_device_gfx1010", "10.0")


def add_own_requirements(folder: Path, python: str) -> None:
    """Add the real wheels that rdna1 imports to an index."""
    download = folder.with_name("download")
    options = ["--quiet", "--only-binary=:all:", f"--python-version={python}", f"--dest={download}"]
    subprocess.run([PIP, "download", *options, *OWN_REQUIREMENTS], check=True)
    for wheel in download.iterdir():
        project = folder / parse_wheel_filename(wheel.name)[0]
        project.mkdir(exist_ok=True)
        wheel.rename(project / wheel.name)


def lend_python(make_box: MakeBox, version: str, *options: str) -> Box:
    """A box with a further Python beside its own, as a distribution has it."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine to lend to the box")
    folder = python.parents[1]
    box = make_box(f"--volume={folder}:{folder}:ro", *options)
    box.run("ln", "-s", f"{folder}/bin/python{version}", f"/usr/bin/python{version}")
    return box


def play(box: Box, index: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run the role against a box and an index."""
    given = {
        "rdna1_pytorch_source": "index",
        "pytorch_index_url": index,
        "pytorch_project_index_url": index,
        "preflight_ignore": IGNORED,
        **variables,
    }
    return box.play("--tags=pytorch", f"--extra-vars={json.dumps(given)}")


def environment(box: Box, stack: str = "rocm-5.7") -> str:
    """The environment in use."""
    return box.run("readlink", f"/opt/rdna1/{stack}").strip()


def torch_version(box: Box, stack: str = "rocm-5.7") -> str:
    """What its Python imports."""
    python = f"/opt/rdna1/{stack}/bin/python"
    return box.run(python, "-c", "import torch; print(torch.__version__)").strip()
