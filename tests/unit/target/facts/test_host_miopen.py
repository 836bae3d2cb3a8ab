from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdna1.target.facts import miopen
from rdna1.target.facts.collect import collect

if TYPE_CHECKING:
    import pytest

    from unit.target.facts.conftest import Tree

ACCOUNTS = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "ann:x:1000:1000::/home/ann:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/bash\n"
)
CONFIG, CACHE = "/home/ann/.config/miopen", "/home/ann/.cache/miopen"


def changed_at(root: Path, **times: int) -> None:
    for name, seconds in times.items():
        for path in root.rglob(f"{name}*"):
            os.utime(path, (seconds, seconds))


def test_oldest_and_newest_file_of_each_folder(tree: Tree) -> None:
    root = tree(
        {
            "/etc/passwd": ACCOUNTS,
            f"{CONFIG}/old.udb": "",
            f"{CONFIG}/2.20.0/new.udb": "",
            f"{CACHE}/2.20.0/mid.ukdb": "",
            "/home/bob/.cache/miopen/2.20.0/old.ukdb": "",
        }
    )
    changed_at(root, old=100, mid=200, new=300)
    facts: Any = collect(str(root))
    assert facts["miopen_databases"] == [
        {"path": CONFIG, "files": 2, "oldest": 100, "newest": 300},
        {"path": CACHE, "files": 1, "oldest": 200, "newest": 200},
        {"path": "/home/bob/.cache/miopen", "files": 1, "oldest": 100, "newest": 100},
    ]
    facts = collect(str(root), ["bob"])
    assert [found["path"] for found in facts["miopen_databases"]] == ["/home/bob/.cache/miopen"]


def test_no_folder_and_empty_folders_are_no_database(tree: Tree) -> None:
    root = tree({"/etc/passwd": ACCOUNTS})
    (root / CONFIG.lstrip("/") / "2.20.0").mkdir(parents=True)
    facts: Any = collect(str(root))
    assert facts["miopen_databases"] == []
    assert not [name for name in facts["unknown"] if name.startswith("miopen")]


def test_links_do_not_lead_astray(tree: Tree) -> None:
    root = tree({"/etc/passwd": ACCOUNTS, f"{CONFIG}/a.udb": ""})
    folder = root / CONFIG.lstrip("/")
    (folder / "gone").symlink_to("/nowhere")
    (folder / "up").symlink_to(".")
    facts: Any = collect(str(root))
    (found,) = facts["miopen_databases"]
    assert found["files"] == 4  # a link to the folder itself is followed to the depth limit


def test_what_cannot_be_read_is_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{CONFIG}/{number}.udb": "" for number in range(5)}
    root = tree({"/etc/passwd": ACCOUNTS, **files, "/home/bob/.cache/miopen": "a file"})
    (root / "home/bob/.config").symlink_to(".config")
    monkeypatch.setattr(miopen, "_MOST_FILES", 3)
    facts: Any = collect(str(root))
    assert [found["files"] for found in facts["miopen_databases"]] == [3]
    unknown = facts["unknown"]
    assert unknown[f"miopen_databases.{CONFIG}"] == f"{CONFIG}: only 3 files were looked at"
    assert "symbolic links" in unknown["miopen_databases./home/bob/.config/miopen"]


def test_without_accounts_nothing_is_known(tree: Tree) -> None:
    facts: Any = collect(str(tree({})))
    assert facts["miopen_databases"] is None
    assert facts["unknown"]["miopen_databases"].startswith("/etc/passwd: ")


def test_profile_scripts_of_this_project(tree: Tree) -> None:
    names = ("rocm-rdna1-57.sh", "rocm-rdna1-52.sh", "rocm-rdna1-57.sh.rdna1-backup", "rocm.sh")
    root = tree({f"/etc/profile.d/{name}": "" for name in names})
    changed_at(root, rocm=700)
    facts: Any = collect(str(root))
    assert facts["profiles"] == [
        {"path": "/etc/profile.d/rocm-rdna1-52.sh", "modified": 700},
        {"path": "/etc/profile.d/rocm-rdna1-57.sh", "modified": 700},
    ]
    assert collect(str(tree({})))["profiles"] is not None
