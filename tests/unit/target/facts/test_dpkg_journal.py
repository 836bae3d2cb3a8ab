"""The journal of a killed dpkg: a real dpkg is killed, and dpkg-query says what is true."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rdna1.target.facts.collect import collect
from rdna1.target.facts.dpkg import Status
from rdna1.target.rootfs import RootFs
from rdna1.target.snapshot.packages import needed, read_packages
from support.apt_repository import FakePackage
from support.interrupted_dpkg import DpkgRoot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="dpkg gives files to root")


@pytest.fixture
def killed(tmp_path: Path) -> DpkgRoot:
    """A machine whose dpkg was killed after it had configured one of three packages."""
    machine = DpkgRoot(tmp_path / "machine")
    assert machine.install([FakePackage("old", "1")]) == 0
    packages = [
        FakePackage("old", "2"),
        machine.killer("kills"),
        FakePackage("rocminfo", depends="kills"),
    ]
    assert machine.install(packages) == -9
    assert list((machine.admin / "updates").glob("[0-9]*"))
    return machine


def states(machine: DpkgRoot) -> dict[str, str]:
    packages = Status(RootFs(str(machine.root))).packages()
    return {p.name: f"{p.flag} {p.state}" for p in packages if p.state != "not-installed"}


def test_what_is_read_is_what_dpkg_itself_reads(killed: DpkgRoot) -> None:
    told = killed.query()
    assert states(killed) == told
    assert told["old"] == "ok installed"
    assert told["kills"] == "ok half-configured"
    assert read_packages(RootFs(str(killed.root)))["old"]["version"] == "2"


def test_facts_name_what_the_journal_leaves_unfinished(killed: DpkgRoot) -> None:
    facts: Any = collect(str(killed.root))
    assert facts["apt"]["half_configured"] == ["kills", "rocminfo"]
    assert facts["apt"]["dpkg_journal"] > 0


def test_a_removal_that_only_the_journal_knows(tmp_path: Path) -> None:
    machine = DpkgRoot(tmp_path / "machine")
    script = machine.killer("kills").scripts["postinst"]
    assert (
        machine.install([FakePackage("a"), FakePackage("kills", scripts={"postrm": script})]) == 0
    )
    assert machine.dpkg("--remove", "a", "kills") == -9
    facts: Any = collect(str(machine.root))
    assert "a" not in facts["apt"]["packages"]
    assert facts["apt"]["dpkg_journal"] > 0
    assert states(machine) == machine.query()


def test_nothing_is_left_after_dpkg_has_finished(killed: DpkgRoot) -> None:
    assert killed.dpkg("--configure", "-a") == 0
    facts: Any = collect(str(killed.root))
    assert facts["apt"]["half_configured"] == []
    assert facts["apt"]["dpkg_journal"] == 0


def test_dependencies_are_those_of_the_journal(tmp_path: Path) -> None:
    machine = DpkgRoot(tmp_path / "machine")
    ours, theirs = FakePackage("ours"), FakePackage("theirs", "1")
    assert machine.install([ours, theirs]) == 0
    # Its new version needs what a run brought, and only the journal knows it is whole.
    assert (
        machine.install([FakePackage("theirs", "2", depends="ours"), machine.killer("kills")]) == -9
    )
    assert needed(RootFs(str(machine.root)), ["ours"]) == {"ours": "theirs"}


def test_an_entry_replaces_that_of_the_same_architecture(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dpkg"
    (folder / "updates").mkdir(parents=True)
    entry = "Package: {}\nStatus: install ok {}\nArchitecture: {}\nVersion: 1\n{}"
    same = "Multi-Arch: same\n"
    status = [
        entry.format("lib", "installed", "amd64", same),
        entry.format("lib", "installed", "i386", same),
        entry.format("tool", "installed", "all", ""),
        entry.format("gone", "installed", "amd64", ""),
    ]
    (folder / "status").write_text("\n".join(status))
    journal = {
        # By number, not by name.
        "9": entry.format("lib", "unpacked", "i386", same),
        "10": entry.format("lib", "half-configured", "i386", same),
        "11": entry.format("tool", "installed", "amd64", ""),
        "12": "Package: gone\nStatus: deinstall ok not-installed\n",
        # What a power loss leaves, and the padding that dpkg keeps for a full disk.
        "13": "",
        "14": "\0" * 300,
        "tmp.i": "#padding\n",
    }
    for name, text in journal.items():
        (folder / "updates" / name).write_text(text)
    found = Status(RootFs(str(tmp_path))).packages()
    assert {(p.name, p.architecture, p.state) for p in found} == {
        ("lib", "amd64", "installed"),
        ("lib", "i386", "half-configured"),
        ("tool", "amd64", "installed"),
        ("gone", "", "not-installed"),
    }
