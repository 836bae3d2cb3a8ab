"""Fleets: what an index is asked for while several machines get the same wheels.

The wheels of the stack are fakes, those that rdna1 imports are real. Requests are counted where
they arrive. The boxes are made once for this module; its tests run in the order of the file.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

from support.box_fleet import play_together, recap
from support.boxes import Box, remove_box, start_box
from support.wheel_boxes import (
    HOST_PYTHONS,
    add_own_requirements,
    fill_index,
    from_index,
    mount_host_python,
    torch_version,
)
from support.wheels import serve, write_pages

PYTHON = HOST_PYTHONS["rocm-5.7"]
OTHER_PYTHON = HOST_PYTHONS["rocm-5.2"]
OFFLINE = "--network=none"
TAGS = "--tags=rocm,pytorch"


@dataclass(frozen=True)
class Fleet:
    """Boxes, an index, and what it was asked for.

    Attributes:
        address: of the index.
        other_address: of the same index, where nothing is counted.
        connected: two that are alike.
        bookworm: like those, but it takes itself for Debian 12.
        offline: two like the connected ones, without any network.
        odd: another one, with another Python.
    """

    folder: Path
    address: str
    other_address: str
    asked: list[str]
    connected: list[Box]
    bookworm: Box
    offline: list[Box]
    odd: Box

    @property
    def mirror(self) -> Path:
        """For Debian 13."""
        return self.folder / "mirror-13"

    @property
    def other_mirror(self) -> Path:
        """For Debian 12."""
        return self.folder / "mirror-12"

    def fetched(self) -> Counter[str]:
        """How often each wheel was since the last call."""
        names = [unquote(p.rpartition("/")[2]) for p in self.asked if p.endswith(".whl")]
        self.asked.clear()
        return Counter(names)

    def collect(self) -> subprocess.CompletedProcess[str]:
        """Collect one mirror for all, and one apart for a further name of a box."""
        one = self._variables(mirror_destination=str(self.mirror))
        apart = self._variables(
            ansible_host=self.bookworm.name,
            mirror_destination=str(self.other_mirror),
            pytorch_lock_dir=str(self.folder / "other-locks"),
            pytorch_index_url=self.other_address,
            pytorch_project_index_url=self.other_address,
        )
        together = [*self.connected, self.bookworm]
        own = {"apart": apart, **{box.name: one for box in together}}
        # A machine that is refused ends the play where machines take turns.
        boxes = [Box("apart", self.folder), *together]
        return play_together(boxes, self.folder, playbook="playbooks/mirror.yml", own=own)

    def install(self, mirrors: dict[Box, Path | None]) -> subprocess.CompletedProcess[str]:
        """Run site.yml with a mirror for each box, or with none."""
        own = {
            box.name: self._variables(rdna1_mirror=str(path or "")) for box, path in mirrors.items()
        }
        return play_together(list(mirrors), self.folder, TAGS, own=own)

    def _variables(self, **given: object) -> dict[str, object]:
        """Nothing but wheels, and those from the index."""
        return {
            **from_index(self.address),
            "rdna1_rocm_source": "none",
            **given,
        }


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The boxes, and an index with hashes and metadata, as PyPI and PyTorch's are."""
    folder = tmp_path_factory.mktemp("fleet")
    fill_index(folder / "index")
    add_own_requirements(folder / "index", PYTHON)
    write_pages(folder / "index")
    made: list[str] = []

    def make(name: str, version: str = PYTHON, *options: str) -> Box:
        made.append(f"rdna1-test-{os.getpid()}-fleet-{name}")
        return mount_host_python(lambda *o: start_box(made[-1], folder, o), version, *options)

    asked: list[str] = []
    try:
        bookworm = make("bookworm")
        # Nothing else of Debian 12 matters to which mirror it gets.
        bookworm.run("sed", "-i", "s/13/12/g; s/trixie/bookworm/g", "/usr/lib/os-release")
        with (
            serve(folder / "index", before=asked.append) as address,
            serve(folder / "index") as other_address,
        ):
            yield Fleet(
                folder,
                address,
                other_address,
                asked,
                connected=[make("first"), make("second")],
                bookworm=bookworm,
                offline=[make("third", PYTHON, OFFLINE), make("fourth", PYTHON, OFFLINE)],
                odd=make("odd", OTHER_PYTHON, OFFLINE),
            )
    finally:
        for name in made:
            remove_box(name)


def said(played: subprocess.CompletedProcess[str]) -> str:
    """What a run printed, without its line breaks."""
    return " ".join(played.stdout.split())


def failed(played: subprocess.CompletedProcess[str]) -> list[str]:
    """The boxes that did not come to the end."""
    return [name for name, counts in recap(played).items() if counts["failed"]]


def test_machines_alike_have_one_mirror_collected_which_fetches_each_wheel_once(
    fleet: Fleet,
) -> None:
    first = fleet.connected[0]
    collected = fleet.collect()
    assert failed(collected) == [fleet.bookworm.name], collected.stdout
    assert f"{first.name} collected {fleet.mirror} in this run" in said(collected)
    assert f"in this run on {first.name}, and it is for rocm-5.7 on debian 13" in said(collected)
    assert "This machine needs one for rocm-5.7 on debian 12" in said(collected)
    assert "Remedy: leave mirror_destination empty" in said(collected)
    assert json.loads((fleet.mirror / "manifest.json").read_text())["version"] == "13"
    wheels = [path.name for path in fleet.mirror.joinpath("wheels").iterdir()]
    assert any(name.startswith("torch-2.2.2+rocm5.7") for name in wheels)
    assert fleet.fetched() == Counter(wheels)


def test_machines_without_a_network_have_nothing_fetched_for_them(fleet: Fleet) -> None:
    alike = dict.fromkeys(fleet.offline, fleet.mirror)
    played = fleet.install({**alike, fleet.odd: fleet.mirror, fleet.bookworm: fleet.mirror})
    assert failed(played) == sorted([fleet.odd.name, fleet.bookworm.name]), played.stdout
    assert f"the mirror has no lock file rocm-5.7-{OTHER_PYTHON}-x86_64-linux.txt" in said(played)
    assert "is a mirror for rocm-5.7 on debian 13, and this is rocm-5.7 on debian 12" in said(
        played
    )
    for box in (fleet.odd, fleet.bookworm):
        assert box.run("find", "/var/cache", "/opt", "-path", "*rdna1*") == ""
    assert {torch_version(box) for box in fleet.offline} == {"2.2.2+rocm5.7"}
    assert fleet.fetched() == Counter(), "not by the machine that runs Ansible either"


def test_with_a_mirror_nothing_is_fetched_and_without_one_each_machine_fetches_for_itself(
    fleet: Fleet,
) -> None:
    """Mirrors of two releases, and none, in one play."""
    alike = dict.fromkeys(fleet.offline, fleet.mirror)
    without = dict.fromkeys(fleet.connected)
    played = fleet.install({fleet.bookworm: fleet.other_mirror, **alike, **without})
    assert played.returncode == 0, played.stdout
    assert torch_version(fleet.bookworm) == "2.2.2+rocm5.7"
    counts = recap(played)
    assert [counts[box.name]["changed"] for box in fleet.offline] == [0, 0], played.stdout
    # One lock for both machines without a mirror, whose environments have what the index gave.
    assert [path.name for path in (fleet.folder / "locks").iterdir()] == [
        f"rocm-5.7-{PYTHON}-x86_64-linux.txt"
    ]
    assert {torch_version(box) for box in fleet.connected} == {"2.2.2+rocm5.7"}
    # By them alone.
    wheels = [path.name for path in fleet.mirror.joinpath("wheels").iterdir()]
    assert fleet.fetched() == Counter(wheels * 2)
