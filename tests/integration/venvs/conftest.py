"""An index of fakes on loopback, and environments that real uv makes from it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rdna1.target.venvs.spec import Spec, digest
from rdna1.wheels import Wanted, make_lock
from support.wheels import serve, write_fake_wheel

UV = Path(sys.executable).with_name("uv")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

MakeSpec = Callable[..., Spec]


@pytest.fixture
def index_folder(tmp_path: Path) -> Path:
    """An index with what a stack and this project need, fakes all of it."""
    folder = tmp_path / "index"
    write_fake_wheel(folder, "torch", "2.2.2+rocm5.7", ["filelock"])
    write_fake_wheel(folder, "filelock", "3.1")
    write_fake_wheel(folder, "numpy", "1.26.4")
    write_fake_wheel(folder, "numpy", "2.1.0")
    write_fake_wheel(folder, "msgspec", "0.19.0")
    return folder


@pytest.fixture
def index(index_folder: Path) -> Iterator[str]:
    """Its address."""
    with serve(index_folder) as address:
        yield address


@pytest.fixture
def wanted(index: str) -> Wanted:
    """What the lock of the tests holds."""
    return Wanted(["torch==2.2.2+rocm5.7", "numpy<2"], ["msgspec>=0.19"], PYTHON, index, index)


@pytest.fixture
def make_spec(tmp_path: Path, wanted: Wanted) -> MakeSpec:
    """A specification with the lock of the index as it is now; changes by name."""
    return spec_maker(tmp_path, wanted, stack="rocm-5.7", python_path=sys.executable)


def spec_maker(folder: Path, wanted: Wanted, **own: Any) -> MakeSpec:
    """Return what makes specifications of environments below a folder.

    Args:
        folder: of the environments.
        wanted: what the lock holds, which is made each time.
        own: what all of them have.
    """

    def make(**changes: Any) -> Spec:
        wheel = write_fake_wheel(folder / "project", "rdna1", "0.1.0")
        spec = Spec(
            prefix=folder / "opt",
            uv=UV,
            wheel=wheel,
            wheel_digest=digest(wheel),
            python=wanted.python,
            index_url=wanted.index_url,
            project_index_url=wanted.project_index_url,
            **own,
        )
        return spec._replace(lock=make_lock(wanted, UV))._replace(**changes)

    return make
