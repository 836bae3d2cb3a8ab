"""What is taken from a build that is not trusted: one wheel, a file of its own, and no other."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rdna1.target.venvs.built_wheel import BuiltWheelError, take_wheel

NAME = "rocm-10.1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: rocm\nVersion: 10.1.0\n"


def write(path: Path, metadata: str = METADATA, more: str = "rocm_sdk.py") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rocm-10.1.0.dist-info/METADATA", metadata)
        archive.writestr(more, "")
    return path


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Where a build puts what it made."""
    folder = tmp_path / "work" / "wheels"
    folder.mkdir(parents=True)
    (tmp_path / "place").mkdir()
    return folder


def take(wheels: Path, owner: int | None = None) -> Path:
    place = wheels.parents[1] / "place"
    uid = os.geteuid() if owner is None else owner
    return take_wheel(wheels, uid, "rocm", "10.1.0", place)


def test_the_wheel_is_copied(wheels: Path) -> None:
    made = write(wheels / NAME)
    copy = take(wheels)
    assert copy.parent.name == "place"
    assert copy.read_bytes() == made.read_bytes()


def linked(wheels: Path) -> None:
    (wheels / NAME).symlink_to(write(wheels.parent / NAME))


def hard_linked(wheels: Path) -> None:
    os.link(write(wheels.parent / NAME), wheels / NAME)


def folder_linked(wheels: Path) -> None:
    write(wheels / NAME)
    wheels.rename(wheels.parent / "elsewhere")
    wheels.symlink_to(wheels.parent / "elsewhere")


def two(wheels: Path) -> None:
    write(wheels / NAME)
    write(wheels / "rocm-10.1.0-py2-none-any.whl")


def zeros(wheels: Path) -> None:
    (wheels / NAME).write_bytes(bytes(1000))


def packed_twice(wheels: Path) -> None:
    with zipfile.ZipFile(write(wheels / NAME), "a") as archive:
        archive.writestr("other-1.dist-info/METADATA", METADATA)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "made 0 files in place of one wheel"),
        (two, "made 2 files in place of one wheel"),
        (linked, "cannot be opened: Too many levels of symbolic links"),
        (folder_linked, "wheels of the build cannot be opened"),
        (hard_linked, "not a file of its own"),
        (lambda wheels: os.mkfifo(wheels / NAME), "not a file of its own"),
        (lambda wheels: (wheels / NAME).mkdir(), "not a file of its own"),
        (zeros, "is not a wheel"),
        (packed_twice, "is not a wheel"),
        (lambda wheels: write(wheels / "torch-10.1.0-py3-none-any.whl"), "made torch-10.1.0"),
        (lambda wheels: write(wheels / "rocm-9-py3-none-any.whl"), "made rocm-9-py3"),
        (lambda wheels: write(wheels / f"\x1b{NAME}"), r"made \\x1brocm"),
        (
            lambda wheels: write(wheels / NAME, METADATA.replace("rocm", "torch")),
            r"a wheel of torch 10\.1\.0 in place of rocm 10\.1\.0",
        ),
        (lambda wheels: write(wheels / NAME, more="x.pth"), r"with x\.pth, which every Python"),
        (
            lambda wheels: write(wheels / NAME, more="rocm-10.1.0.data/purelib/x.pth"),
            r"x\.pth, which every Python would run",
        ),
        (lambda wheels: write(wheels / NAME, more="sitecustomize.py"), "every Python would run"),
    ],
)
def test_anything_else_is_refused(wheels: Path, make: Callable[[Path], object], said: str) -> None:
    make(wheels)
    with pytest.raises(BuiltWheelError, match=said) as caught:
        take(wheels)
    assert str(caught.value).isprintable()


def test_a_file_of_somebody_else_is_refused(wheels: Path) -> None:
    write(wheels / NAME)
    with pytest.raises(BuiltWheelError, match="not a file of its own"):
        take(wheels, os.geteuid() + 1)
    assert not (wheels.parents[1] / "place" / NAME).exists()
