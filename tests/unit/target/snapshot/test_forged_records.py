"""Records in a home are its owner's word: root, whose HOME sudo kept, does not carry them out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rdna1.target.facts.collect import collect
from support.ansible_module import run_module

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="acts as root on another user's home")
USER = 65534


def record(home: Path, moment: str) -> dict[str, Any]:
    """Write down the state of a home before or after a run."""
    facts = collect(str(home))
    given = {"path": str(records(home)), "home": str(home), "stack": "x", "facts": facts}
    given["moment"] = moment
    return run_module("rdna1_snapshot", given, home.parent)


def rollback(home: Path, step: str) -> dict[str, Any]:
    """Take a step of a rollback of what was done in a home."""
    given = {"path": str(records(home)), "home": str(home), "step": step}
    return run_module("rdna1_rollback", given, home.parent)


def records(home: Path) -> Path:
    """The folder of the records."""
    return home / ".local/state/rdna1/snapshots"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a record of a file that is gone since."""
    home = tmp_path / "home"
    folder = home / ".config/rdna1"
    folder.mkdir(parents=True)
    (folder / "file").write_text("evil")
    assert record(home, "before")["changed"]
    (folder / "file").unlink()
    assert record(home, "after")["changed"]
    return home


def give_away(home: Path) -> None:
    """Make it the home of another user than root."""
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER, follow_symlinks=False)


def forge(home: Path, folder: Path) -> None:
    """Let the record say that the file was in another folder, which is not its owner's."""
    own = str(home / ".config/rdna1")
    for path in records(home).rglob("*.json"):
        text = path.read_text().replace(own, str(folder))
        content = json.loads(text)
        for place, entry in content["files"].items():
            # Of what is in no home, the record has none.
            if place.startswith(str(folder)):
                entry["parents"] = []
        path.write_text(json.dumps(content))


def test_its_owner_gets_the_file_back(home: Path) -> None:
    assert not rollback(home, "restore").get("failed")
    assert (home / ".config/rdna1/file").read_text() == "evil"


@pytest.mark.parametrize("step", ["plan", "restore", "finish"])
def test_root_takes_no_users_word(home: Path, tmp_path: Path, step: str) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    forge(home, folder)
    give_away(home)
    done = rollback(home, step)
    assert list(folder.iterdir()) == []
    assert "is not the home of the user that the play runs as" in str(done.get("msg"))
    assert "Remedy: run as the user whose home it is" in str(done["msg"])


def test_root_writes_no_record_into_a_users_home(home: Path) -> None:
    give_away(home)
    before = sorted(records(home).rglob("*"))
    assert record(home, "before")["failed"]
    assert sorted(records(home).rglob("*")) == before
