"""The module that writes a stack's settings, run as Ansible runs it, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.ansible_module import run_module

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write settings below a folder of the test; options are those of the module."""

    def play(*, check: bool = False, **options: object) -> dict[str, Any]:
        owner = {"owner": os.getuid(), "group": os.getgid()}
        given = {**owner, **options, "_ansible_check_mode": check}
        return run_module("rdna1_settings", given, tmp_path)

    return play


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A folder that stands for the machine's root."""
    folder = tmp_path / "box"
    folder.mkdir()
    return folder


def settings(box: Path) -> dict[str, Any]:
    return {
        "folders": [str(box / "etc/rdna1")],
        "files": [{"path": str(box / "etc/profile.d/one.sh"), "content": "A=1\n", "backup": True}],
        "links": {str(box / "bin/command"): "/opt/command"},
        "stale": [str(box / "etc/profile.d/*.sh")],
    }


def tree(box: Path) -> dict[str, str]:
    return {
        str(path.relative_to(box)): f"{path.lstat().st_mode & 0o777:o}"
        for path in sorted(box.rglob("*"))
        if not path.is_symlink()
    }


def test_a_first_and_a_second_run(run: Run, box: Path) -> None:
    first = run(**settings(box))
    assert first["changed"]
    assert tree(box) == {
        "bin": "755",
        "etc": "755",
        "etc/profile.d": "755",
        "etc/profile.d/one.sh": "644",
        "etc/rdna1": "755",
    }
    assert (box / "bin/command").readlink() == Path("/opt/command")
    second = run(**settings(box))
    assert (second["changed"], second["altered"], second["diff"]) == (False, [], [])


def test_check_mode_names_everything_once_and_writes_nothing(run: Run, box: Path) -> None:
    shown = run(check=True, **settings(box))
    assert shown["changed"]
    names = ("etc", "etc/rdna1", "etc/profile.d", "etc/profile.d/one.sh", "bin", "bin/command")
    assert shown["altered"] == [str(box / name) for name in names]
    assert len(shown["diff"]) == len(names)
    assert list(box.iterdir()) == []


def test_what_was_there_is_shown_and_kept(run: Run, box: Path) -> None:
    script = box / "etc/profile.d/one.sh"
    script.parent.mkdir(parents=True)
    script.write_text("MINE=1\n")
    shown = run(**settings(box))["diff"]
    assert {"before": "MINE=1\n", "after": "A=1\n"}.items() <= shown[1].items()
    assert script.read_text() == "A=1\n"
    [kept] = script.parent.glob("one.sh.*~")
    assert kept.read_text() == "MINE=1\n"


def test_files_of_other_stacks_go_and_other_files_stay(run: Run, box: Path) -> None:
    folder = box / "etc/profile.d"
    folder.mkdir(parents=True, mode=0o700)
    for name in ("two.sh", "mine.txt"):
        (folder / name).touch()
    assert str(folder / "two.sh") in run(**settings(box))["altered"]
    assert {path.name for path in folder.iterdir()} == {"one.sh", "mine.txt"}
    assert folder.stat().st_mode & 0o777 == 0o700, "a folder that was there keeps its mode"


def test_owner_and_mode_are_put_right(run: Run, box: Path) -> None:
    run(**settings(box))
    script = box / "etc/profile.d/one.sh"
    script.chmod(0o666)
    assert run(**settings(box))["altered"] == [str(script)]
    assert script.stat().st_mode & 0o777 == 0o644


def test_a_link_does_not_lead_the_writer_elsewhere(run: Run, box: Path) -> None:
    victim = box / "victim"
    victim.write_text("keep\n")
    script = box / "etc/profile.d/one.sh"
    script.parent.mkdir(parents=True)
    script.symlink_to(victim)
    run(**settings(box))
    assert victim.read_text() == "keep\n"
    assert not script.is_symlink()


def test_a_file_makes_way_for_a_link(run: Run, box: Path) -> None:
    (box / "bin").mkdir()
    (box / "bin/command").write_text("mine\n")
    assert str(box / "bin/command") in run(**settings(box))["altered"]
    assert (box / "bin/command").readlink() == Path("/opt/command")


def test_a_folder_in_the_way_is_named_with_a_remedy(run: Run, box: Path) -> None:
    script = box / "etc/profile.d/one.sh"
    script.mkdir(parents=True)
    failed = run(**settings(box))
    assert failed["failed"]
    assert str(script) in failed["msg"]
    assert "Remedy: move it out of the way" in failed["msg"]
