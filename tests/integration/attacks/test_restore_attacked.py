"""Recording and restoring, as root, what lies in the home of a user who is up to no good."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rdna1.target.snapshot.file_changes import FileChange
from rdna1.target.snapshot.files import Entries, read_entries
from rdna1.target.snapshot.watch import Place
from support.attacker import (
    UID,
    Step,
    as_attacker,
    attacked_at_each_step,
    owned_tree,
    shared_folder,
)
from support.file_changes import changes, restore
from support.forked import in_child

OTHER = UID + 1
OLD, NEW = "of mallory, before\n", "of mallory, after\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes several users")


class Machine:
    """Files of root, of the attacker and of somebody else."""

    def __init__(self, root: Path) -> None:
        """Make them."""
        self.root = root
        self.etc, self.home, self.other = root / "etc", root / "home/mallory", root / "home/other"
        self.folder = self.home / "conf"
        self.file = self.folder / "shadow"
        for path, uid in ((self.etc, 0), (self.folder, UID), (self.other / "data", OTHER)):
            path.mkdir(parents=True)
            os.chown(path, uid, uid)
        os.chown(self.home, UID, UID)
        os.chown(self.other, OTHER, OTHER)
        for path, text, mode, uid in (
            (self.etc / "shadow", "root's\n", 0o600, 0),
            (self.etc / "passwd", f"mallory:x:{UID}:{UID}::{self.home}:/bin/sh\n", 0o644, 0),
            (self.other / "data" / "thesis", "years\n", 0o644, OTHER),
            (self.file, OLD, 0o640, UID),
        ):
            path.write_text(text)
            path.chmod(mode)
            os.chown(path, uid, uid)

    def record(self, *paths: Path | str, contents: bool = True) -> Entries:
        """What a run writes down of some places."""
        return read_entries([Place(str(path), 0) for path in paths], contents=contents)

    def others(self) -> dict[str, tuple[object, ...]]:
        """Everything that is not the attacker's."""
        return owned_tree(self.etc) | owned_tree(self.other)

    def rewrite(self, text: str) -> None:
        """Have the attacker change the own file."""

        def write() -> None:
            self.file.write_text(text)

        as_attacker(write)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can enter."""
    with shared_folder() as path:
        yield path


@pytest.fixture
def machine(folder: Path) -> Machine:
    """The machine."""
    return Machine(folder / "root")


def put_back_in_the_home(machine: Machine) -> list[FileChange]:
    """Changes that would put the attacker's old file back."""
    before = machine.record(machine.file)
    machine.rewrite(NEW)
    return changes(before, machine.record(machine.file, contents=False))


def swap(path: Path, target: Path) -> None:
    """Put a link in the place of something."""
    path.rename(path.with_name("swapped"))
    path.symlink_to(target)


def link_folder(machine: Machine) -> None:
    swap(machine.folder, machine.etc)


def link_draft(machine: Machine) -> None:
    for path in machine.folder.iterdir():
        if path != machine.file:
            swap(path, machine.etc / "shadow")


def link_file(machine: Machine) -> None:
    swap(machine.file, machine.etc / "shadow")


def keep_draft(machine: Machine) -> None:
    for path in machine.folder.iterdir():
        if path != machine.file:
            (machine.home / "kept").hardlink_to(path)


def is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def test_the_owners_old_file_comes_back(machine: Machine) -> None:
    found = put_back_in_the_home(machine)
    assert restore(found).left == []
    status = machine.file.stat()
    assert machine.file.read_text() == OLD
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (UID, UID, 0o640)


@pytest.mark.parametrize("attack", [link_folder, link_draft, link_file, keep_draft])
def test_nothing_of_others_changes_at_any_step(
    folder: Path, attack: Callable[[Machine], None]
) -> None:
    root = folder / "root"
    made: list[tuple[Machine, dict[str, tuple[object, ...]], list[FileChange]]] = []

    def prepare() -> Step:
        machine = Machine(root)
        made.append((machine, machine.others(), put_back_in_the_home(machine)))
        return lambda: shutil.rmtree(root)

    steps = 0
    for steps in attacked_at_each_step(  # noqa: B007
        prepare, lambda: restore(made[-1][2]) and None, lambda: attack(made[-1][0])
    ):
        machine, before, _ = made[-1]
        assert machine.others() == before
        texts = [p.read_text() for p in machine.home.rglob("*") if is_file(p)]
        assert set(texts) <= {OLD, NEW, ""}
    assert steps > 10


@pytest.mark.parametrize(
    "spelling", ["{home}", "{home}/.", "{home}/../mallory", "/{home}", "{home}//", "{link}"]
)
def test_whose_rights_are_taken_is_no_matter_of_spelling(machine: Machine, spelling: str) -> None:
    (machine.root / "people").symlink_to(machine.root / "home")
    names = {"home": machine.home, "link": machine.root / "people/mallory"}
    path = f"{spelling.format(**names)}/conf/new"
    text = base64.b64encode(b"evil").decode()
    entry = {"kind": "file", "uid": 0, "gid": 0, "mode": "4755", "sha256": "x"}
    entry |= {"modified_ns": 1, "content": text}
    link_folder(machine)
    before = machine.others()
    done = restore([FileChange(path, entry, None, True)])
    assert machine.others() == before
    assert done.done == []
    assert len(done.left) == 1


def test_a_folder_replaced_by_a_link_is_refused_in_words(machine: Machine) -> None:
    found = put_back_in_the_home(machine)
    before = machine.others()
    as_attacker(lambda: link_folder(machine))
    done = restore(found)
    assert machine.others() == before
    assert done.done == []
    assert done.left[0].startswith(f"{machine.file}: ")


def test_a_folder_replaced_by_another_is_refused_in_words(machine: Machine) -> None:
    found = put_back_in_the_home(machine)

    def replace() -> None:
        machine.folder.rename(machine.home / "old")
        machine.folder.mkdir()

    as_attacker(replace)
    done = restore(found)
    assert not machine.file.exists()
    assert "another folder" in done.left[0]


def test_what_root_alone_may_read_is_not_recorded_through_a_home(machine: Machine) -> None:
    as_attacker(lambda: link_folder(machine))
    recorded = machine.record(machine.file)
    assert "root's" not in str([base64.b64decode(e.get("content", "")) for e in recorded.values()])
    assert base64.b64encode(b"root's\n").decode() not in json.dumps(recorded)


def test_a_link_to_a_secret_is_recorded_as_a_link_at_most(machine: Machine) -> None:
    as_attacker(lambda: link_file(machine))
    recorded = machine.record(machine.file)
    assert base64.b64encode(b"root's\n").decode() not in json.dumps(recorded)


def test_a_recorded_secret_is_not_written_into_a_home(machine: Machine) -> None:
    """A record of an earlier version may hold one."""
    entry = machine.record(machine.etc / "shadow")[str(machine.etc / "shadow")]
    done = restore([FileChange(str(machine.file), entry, None, True)])
    assert machine.file.read_text() == OLD
    assert done.done == []
    assert "root" in done.left[0]


def test_an_old_shadow_does_not_come_back_by_a_home(machine: Machine) -> None:
    """What the attacker's folder named was recorded; root changed it since."""
    as_attacker(lambda: link_folder(machine))
    before = machine.record(machine.file)
    (machine.etc / "shadow").write_text("new password\n")
    restore(changes(before, machine.record(machine.file, contents=False)))
    assert (machine.etc / "shadow").read_text() == "new password\n"


@pytest.mark.parametrize("how", ["folder of somebody else", "linked folder"])
def test_a_folder_of_somebody_else_is_not_removed(machine: Machine, how: str) -> None:
    if how == "linked folder":
        swap(machine.folder, machine.other)
        path = machine.folder / "data"
    else:
        shutil.rmtree(machine.folder)
        machine.other.rename(machine.folder)
        path = machine.folder / "data"
    entry = {"kind": "folder", "whole": True, "uid": OTHER, "gid": OTHER, "mode": "0755"}
    done = restore([FileChange(str(path), None, entry, True)])
    assert (path / "thesis").read_text() == "years\n"
    assert done.done == []


def with_content(machine: Machine, *paths: Path | str) -> list[str]:
    """Those of the places whose content a record holds, by a process that must not wait."""
    recorded = in_child(
        lambda: [p for p, entry in machine.record(*paths).items() if "content" in entry], seconds=30
    )
    return [str(path) for path in recorded]


def test_special_files_are_neither_waited_for_nor_read(machine: Machine) -> None:
    machine.file.unlink()
    os.mkfifo(machine.file)
    os.chown(machine.file, UID, UID)
    os.mknod(machine.folder / "zero", 0o020666, os.makedev(1, 5))
    zero = machine.folder / "zero"
    paths: list[Path | str] = [machine.file, zero, "/dev/zero", "/proc/kmsg", "/dev/kmsg"]
    assert with_content(machine, *paths) == []


def test_links_in_the_place_of_a_device_are_not_opened(machine: Machine) -> None:
    as_attacker(lambda: swap(machine.file, Path("/proc/kmsg")))
    assert with_content(machine, machine.file) == []


def test_many_names_of_one_file_are_not_copied_many_times(machine: Machine) -> None:
    machine.rewrite("x" * (1024 * 1024))
    names = [machine.folder / f"shadow.rdna1-backup.{number}" for number in range(300)]
    for name in names:
        name.hardlink_to(machine.file)
    recorded = machine.record(machine.file, *names)
    assert len(json.dumps(recorded)) < 1024 * 1024
    assert "further names" in str(recorded[str(names[0])])


def test_a_record_has_a_size_that_fits_a_machine(machine: Machine) -> None:
    names = [machine.folder / f"{number}.conf" for number in range(40)]
    for name in names:
        name.write_text(f"{name}" + "x" * 1_000_000)
        os.chown(name, UID, UID)
    recorded = machine.record(*names)
    assert len(json.dumps(recorded)) < 30 * 1024 * 1024
    assert "content" in recorded[str(names[0])]
    # Of this user; there is room for others.
    assert sum("content" in entry for entry in recorded.values()) == 4
    last = recorded[str(names[-1])]
    assert "content" not in last
    done = restore([FileChange(str(names[-1]), last, None, True)])
    assert done.left == []
    names[-1].unlink()
    assert "too large" in restore([FileChange(str(names[-1]), last, None, True)]).left[0]
