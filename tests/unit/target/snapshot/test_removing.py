"""What a removal that was cut short leaves of packages that are still there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rdna1.target.rootfs import RootFs
from rdna1.target.snapshot.removing import NONE, forget, leavings, write_down

NAMES = ["gone", "kept", "tool"]


def machine(root: Path, wanted: str, automatic: tuple[str, ...], names: tuple[str, ...]) -> RootFs:
    """A machine with packages, all but libc6 of which dpkg was told the same about."""
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(
        "".join(
            f"Package: {name}\nStatus: {word} ok installed\nArchitecture: amd64\nVersion: 1\n\n"
            for word, name in [("install", "libc6"), *((wanted, name) for name in names)]
        )
    )
    marks = root / "var/lib/apt/extended_states"
    marks.parent.mkdir(parents=True, exist_ok=True)
    marks.write_text(
        "".join(
            f"Package: {name}\nArchitecture: amd64\nAuto-Installed: 1\n\n" for name in automatic
        )
    )
    return RootFs(str(root))


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """The folder of the records, after a removal was written down and begun."""
    folder = tmp_path / "snapshots"
    folder.mkdir()
    before = machine(tmp_path / "before", "install", ("gone", "kept"), ("gone", "kept", "tool"))
    write_down(folder, NAMES, before)
    return folder


@pytest.mark.parametrize("wanted", ["deinstall", "purge"])
def test_what_dpkg_was_told_to_remove_and_apts_marks_are_known(
    records: Path, tmp_path: Path, wanted: str
) -> None:
    found = leavings(records, machine(tmp_path / "now", wanted, (), ("kept", "tool", "other")))
    assert found.selected == ["kept", "tool"]
    assert found.auto == ["kept"]


def test_a_removal_that_did_not_begin_left_nothing(records: Path, tmp_path: Path) -> None:
    now = machine(tmp_path / "now", "install", ("gone", "kept"), ("gone", "kept", "tool"))
    assert leavings(records, now) == NONE


def test_what_the_owner_selected_is_not_meant(tmp_path: Path) -> None:
    assert leavings(tmp_path, machine(tmp_path, "deinstall", (), ("tool",))) == NONE


def test_once_forgotten_nothing_is_known_of_it(records: Path, tmp_path: Path) -> None:
    forget(records)
    forget(records)
    assert leavings(records, machine(tmp_path / "now", "purge", (), ("kept",))) == NONE
    assert list(records.iterdir()) == []


def test_nothing_is_written_where_no_run_is_recorded(tmp_path: Path) -> None:
    rootfs = machine(tmp_path, "install", (), ("tool",))
    write_down(tmp_path / "none", NAMES, rootfs)
    assert not (tmp_path / "none").exists()
    write_down(tmp_path, [], rootfs)
    assert not list(tmp_path.glob("*.json"))


def test_the_file_says_which_were_automatic(records: Path) -> None:
    content = json.loads((records / "removing.json").read_text())
    assert content == {"schema_version": 1, "names": NAMES, "auto": ["gone", "kept"]}
