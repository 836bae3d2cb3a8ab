"""PyTorch from an index: the wheels of rocm-5.2 and therock, here fakes on loopback.

Both boxes are made once for this module; its tests run in the order of the file. Those of rocm-5.7
are in test_wheels_failures.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.box_fleet import play_together
from support.boxes import Box, remove_box, start_box
from support.wheel_boxes import (
    HOST_PYTHONS,
    add_own_requirements,
    fill_index,
    from_index,
    mount_host_python,
    play,
    torch_version,
)
from support.wheels import serve

# The release is refused for this stack on this machine, so the role is run without preflight.
OLD = {"pytorch_stack": "rocm-5.2"}
NATIVE = {"rdna1_stack": "therock", "pytorch_gfx_target": "gfx1010"}


class Machines(NamedTuple):
    """A box with the Python of rocm-5.2, one with its own alone, and the index of both."""

    old: Box
    native: Box
    folder: Path
    address: str


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """The boxes, and an index with fakes of all stacks' wheels."""
    folder = tmp_path_factory.mktemp("stacks")
    fill_index(folder / "index")
    for python in (HOST_PYTHONS["rocm-5.2"], "3.13"):
        add_own_requirements(folder / "index", python)
    names = [f"rdna1-test-{os.getpid()}-{stack}" for stack in ("rocm-52", "therock")]
    try:
        old = mount_host_python(lambda *o: start_box(names[0], folder, o), HOST_PYTHONS["rocm-5.2"])
        native = start_box(names[1], folder, [])
        with serve(folder / "index") as address:
            yield Machines(old, native, folder, address)
    finally:
        for name in names:
            remove_box(name)


def test_each_stack_gets_its_python_and_the_wheels_of_the_card(machines: Machines) -> None:
    given = from_index(machines.address)
    own = {machines.old.name: {**given, **OLD}, machines.native.name: {**given, **NATIVE}}
    both = [machines.old, machines.native]
    played = play_together(both, machines.folder, "--tags=pytorch", own=own)
    assert played.returncode == 0, played.stdout
    assert torch_version(machines.old, "rocm-5.2") == "1.13.1+rocm5.2"
    assert machines.old.run("/opt/rdna1/rocm-5.2/bin/rdna1-preflight", "list")
    box = machines.native
    assert torch_version(box, "therock") == "2.12.0+rocm10.1.0"
    code = "import rocm_sdk; print(rocm_sdk.CARD, rocm_sdk.BUILT_BY)"
    card, builder = box.run("/opt/rdna1/therock/bin/python", "-c", code).split()
    assert card == "gfx1010"
    assert int(builder) in range(61184, 65520), "root does not build"
    lock = machines.folder / "locks" / "therock-3.13-x86_64-linux-gfx1010.txt"
    assert "amd-torch-device-gfx1010==10.1.0" in lock.read_text()


def test_the_next_run_changes_nothing(machines: Machines) -> None:
    again = play(machines.native, machines.address, **NATIVE)
    assert again.returncode == 0, again.stdout
    assert "changed=0" in again.stdout, again.stdout
