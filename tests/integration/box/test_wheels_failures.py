"""The wheels of rocm-5.7, here fakes on loopback: planned, installed, repaired, and what fails.

Builds that fail or are killed leave the environment before in use, and the next run completes. The
box is made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.box_fleet import play_refused
from support.boxes import Box, remove_box, start_box
from support.wheel_boxes import (
    HOST_PYTHONS,
    add_own_requirements,
    environment,
    fill_index,
    from_index,
    mount_host_python,
    play,
    torch_version,
)
from support.wheels import serve, write_fake_wheel

FILLER = "/opt/rdna1/filler"
LOCK = "rocm-5.7-3.12-x86_64-linux.txt"
PYTHON = "/opt/rdna1/rocm-5.7/bin/python"
# uv alone has 60 MB.
ROOM = "--tmpfs=/opt/rdna1:size=200m,mode=755"


class Machine(NamedTuple):
    """A box, its index, and what the index waits for before torch."""

    box: Box
    index_folder: Path
    address: str
    asked: threading.Event
    go_on: threading.Event

    @property
    def lock(self) -> Path:
        """The lock file of the box."""
        return self.box.folder / "locks" / LOCK

    def spoil(self) -> None:
        """Alter the environment, so that it has to be built again with a fresh torch."""
        self.box.run(
            "sh", "-c", f"rm -f {environment(self.box)}/lib/python3*/site-packages/torch.py"
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A box with room for little, and nothing of PyTorch yet."""
    folder = tmp_path_factory.mktemp("wheels")
    fill_index(folder / "index")
    # A newer build of another kind, which must not win.
    write_fake_wheel(folder / "index", "torch", "2.13.0")
    add_own_requirements(folder / "index", HOST_PYTHONS["rocm-5.7"])
    asked, go_on = threading.Event(), threading.Event()
    go_on.set()

    def before(path: str) -> None:
        if "torch-2.2.2" in path:
            asked.set()
            assert go_on.wait(120)

    name = f"rdna1-test-{os.getpid()}-wheels"
    try:
        box = mount_host_python(
            lambda *o: start_box(name, folder, o), HOST_PYTHONS["rocm-5.7"], ROOM
        )
        with serve(folder / "index", before) as address:
            yield Machine(box, folder / "index", address, asked, go_on)
    finally:
        remove_box(name)


def test_a_dry_run_makes_no_lock(machine: Machine) -> None:
    planned = machine.box.play(
        "--tags=pytorch",
        "--check",
        "--diff",
        f"--extra-vars={json.dumps({'rdna1_pytorch_source': 'index'})}",
        '--extra-vars={"preflight_ignore": ["card", "kernel-driver", "kfd", "disk-space"]}',
    )
    assert planned.returncode == 0, planned.stdout
    assert not (machine.box.folder / "locks").exists()


def test_the_stacks_wheels_are_locked_and_installed(machine: Machine) -> None:
    box = machine.box
    played = play(box, machine.address)
    assert played.returncode == 0, played.stdout
    assert "torch==2.2.2+rocm5.7 \\\n    --hash=sha256:" in machine.lock.read_text()
    assert torch_version(box) == "2.2.2+rocm5.7"
    assert box.run(PYTHON, "-c", "import sys; print(sys.version_info[:2])").strip() == "(3, 12)"
    assert box.run("/opt/rdna1/rocm-5.7/bin/rdna1-preflight", "list")
    assert box.run("/opt/rdna1/rocm-5.7/bin/rdna1-validate", "--help")


def test_a_package_that_is_gone_is_repaired(machine: Machine) -> None:
    box, first = machine.box, environment(machine.box)
    box.run("/opt/rdna1/bin/uv", "pip", "uninstall", f"--python={first}", "torchvision")
    repaired = play(box, machine.address)
    # The environment, and the record of the machine after it.
    assert "changed=2" in repaired.stdout, repaired.stdout
    assert environment(box) == f"{first}-repaired"
    box.run(PYTHON, "-c", "import torchvision")


def test_an_index_that_cannot_be_reached_and_a_tampered_wheel(machine: Machine) -> None:
    machine.spoil()
    before = environment(machine.box)
    given = from_index(machine.address)
    unreachable = {"pytorch_index_url": "http://127.0.0.1:9/", "pytorch_lock_renew": True}
    wheel = next(machine.index_folder.glob("torch/torch-2.2.2*"))
    kept = wheel.read_bytes()
    write_fake_wheel(machine.index_folder, "torch", "2.2.2+rocm5.7", payload=b"evil")
    cases = {"unreachable": {**given, **unreachable}, "tampered": given}
    text = play_refused(machine.box, cases, "--tags=pytorch")
    wheel.write_bytes(kept)
    for cause in (
        "a package archive or index cannot be reached",
        "the file of torch==2.2.2+rocm5.7 is not the one whose hash",
    ):
        said = text.partition(f"Cause: {cause}")[2].partition("Cause: ")[0]
        assert "Remedy: " in said, text
    assert environment(machine.box) == before


def test_a_disk_that_fills(machine: Machine) -> None:
    before = environment(machine.box)
    # The last room of the file system, but for what a folder or two need.
    fill = f"dd if=/dev/zero of={FILLER} bs=64k 2>/dev/null; truncate --size=-256K {FILLER}"
    machine.box.run("sh", "-c", fill)
    played = play(machine.box, machine.address)
    assert played.returncode != 0, played.stdout
    assert "Cause: a disk is full" in played.stdout, played.stdout
    assert "Remedy: " in played.stdout
    assert environment(machine.box) == before
    machine.box.run("rm", FILLER)


def kill_uv(box: Box) -> None:
    """Kill the one uv that runs in a box, by its number."""
    links = box.run("sh", "-c", "ls -l /proc/[0-9]*/exe 2>/dev/null; true").splitlines()
    running = [line for line in links if line.endswith(" -> /opt/rdna1/bin/uv")]
    numbers = [line.split("/proc/")[1].split("/")[0] for line in running]
    assert len(numbers) == 1
    box.run("sh", "-c", f"kill -9 {numbers[0]}")


def test_a_killed_uv_and_the_run_after_all_causes_are_gone(machine: Machine) -> None:
    box, before = machine.box, environment(machine.box)
    machine.asked.clear()
    machine.go_on.clear()
    results = []
    run = threading.Thread(target=lambda: results.append(play(box, machine.address)))
    run.start()
    try:
        assert machine.asked.wait(120)
        kill_uv(box)
    finally:
        machine.go_on.set()
        run.join()
    assert results[0].returncode != 0
    assert "uv pip was killed by SIGKILL" in results[0].stdout
    assert environment(box) == before
    completed = play(box, machine.address)
    assert completed.returncode == 0, completed.stdout
    assert environment(box) != before
    assert torch_version(box) == "2.2.2+rocm5.7"
