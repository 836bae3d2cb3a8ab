"""Builds that fail or are killed: the environment before stays in use, the next run completes.

One box for all, because each run takes long.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.boxes import Box, remove_box, start_box
from support.wheel_boxes import (
    HOST_PYTHONS,
    add_own_requirements,
    environment,
    fill_index,
    mount_host_python,
    play,
    torch_version,
)
from support.wheels import serve, write_fake_wheel

FILLER = "/opt/rdna1/filler"
# uv alone has 60 MB.
ROOM = "--tmpfs=/opt/rdna1:size=200m,mode=755"


class Provisioned(NamedTuple):
    """A box with an environment, its index, and what the index waits for before torch."""

    box: Box
    index_folder: Path
    address: str
    asked: threading.Event
    go_on: threading.Event

    @property
    def lock(self) -> Path:
        """The lock file of the box."""
        return next((self.box.folder / "locks").iterdir())

    def spoil(self) -> None:
        """Alter the environment, so that it has to be built again with a fresh torch."""
        self.box.run(
            "sh", "-c", f"rm -f {environment(self.box)}/lib/python3*/site-packages/torch.py"
        )


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioned]:
    folder = tmp_path_factory.mktemp("wheels")
    fill_index(folder / "index")
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
            played = play(box, address)
            assert played.returncode == 0, played.stdout
            yield Provisioned(box, folder / "index", address, asked, go_on)
    finally:
        remove_box(name)


def refused(made: Provisioned, cause: str, **variables: object) -> None:
    """A run fails with this cause and leaves the environment as the one in use."""
    before = environment(made.box)
    played = play(made.box, made.address, **variables)
    assert played.returncode != 0, played.stdout
    assert f"Cause: {cause}" in played.stdout, played.stdout
    assert "Remedy: " in played.stdout
    assert environment(made.box) == before


def test_an_index_that_cannot_be_reached(provisioned: Provisioned) -> None:
    refused(
        provisioned,
        "a package archive or index cannot be reached",
        pytorch_index_url="http://127.0.0.1:9/",
        pytorch_lock_renew=True,
    )


def test_a_tampered_wheel(provisioned: Provisioned) -> None:
    provisioned.spoil()
    wheel = next(provisioned.index_folder.glob("torch/torch-2.2.2*"))
    kept = wheel.read_bytes()
    write_fake_wheel(provisioned.index_folder, "torch", "2.2.2+rocm5.7", payload=b"evil")
    refused(provisioned, "the file of torch==2.2.2+rocm5.7 is not the one whose hash")
    wheel.write_bytes(kept)


def test_a_lock_without_a_hash(provisioned: Provisioned) -> None:
    text = provisioned.lock.read_text()
    start = text.index("torch==2.2.2+rocm5.7 \\")
    end = text.index("\n", text.index("--hash", start)) + 1
    provisioned.lock.write_text(f"{text[:start]}torch==2.2.2+rocm5.7\n{text[end:]}")
    refused(provisioned, "the lock file has no hash for torch")
    provisioned.lock.write_text(text)


def test_a_disk_that_fills(provisioned: Provisioned) -> None:
    provisioned.spoil()
    # The last room of the file system, but for what a folder or two need.
    fill = f"dd if=/dev/zero of={FILLER} bs=64k 2>/dev/null; truncate --size=-256K {FILLER}"
    provisioned.box.run("sh", "-c", fill)
    refused(provisioned, "a disk is full")
    provisioned.box.run("rm", FILLER)


def kill_uv(box: Box) -> None:
    """Kill the one uv that runs in a box, by its number."""
    links = box.run("sh", "-c", "ls -l /proc/[0-9]*/exe 2>/dev/null; true").splitlines()
    running = [line for line in links if line.endswith(" -> /opt/rdna1/bin/uv")]
    numbers = [line.split("/proc/")[1].split("/")[0] for line in running]
    assert len(numbers) == 1
    box.run("sh", "-c", f"kill -9 {numbers[0]}")


def test_a_killed_uv_and_the_run_after_all_causes_are_gone(provisioned: Provisioned) -> None:
    box, before = provisioned.box, environment(provisioned.box)
    provisioned.spoil()
    provisioned.asked.clear()
    provisioned.go_on.clear()
    results = []
    run = threading.Thread(target=lambda: results.append(play(box, provisioned.address)))
    run.start()
    try:
        assert provisioned.asked.wait(120)
        kill_uv(box)
    finally:
        provisioned.go_on.set()
        run.join()
    assert results[0].returncode != 0
    assert "uv pip was killed by SIGKILL" in results[0].stdout
    assert environment(box) == before
    completed = play(box, provisioned.address)
    assert completed.returncode == 0, completed.stdout
    assert environment(box) != before
    assert torch_version(box) == "2.2.2+rocm5.7"
