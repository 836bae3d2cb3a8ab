"""``fix`` as root in the home of a user who swaps files and folders between any two steps."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rdna1.fix.apply import apply, review
from rdna1.fix.plan import Action, FixPlan, RemoveSettings
from support.attacker import (
    UID,
    Step,
    as_attacker,
    attacked_at_each_step,
    owned_tree,
    shared_folder,
)

NAME = "MIOPEN_FIND_ENFORCE"
OLD = f"A=1\n{NAME}=3\n"
FILE = "/home/mallory/.config/environment.d/x.conf"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes two users")


@pytest.fixture
def root() -> Iterator[Path]:
    """A machine with things of root's that an attack could reach."""
    with shared_folder() as folder:
        yield folder / "root"


def make(root: Path) -> Step:
    """Make the machine; the attacker has a settings file in the home."""
    etc = root / "etc" / "environment.d"
    etc.mkdir(parents=True)
    (root / "etc" / "passwd").write_text(f"mallory:x:{UID}:{UID}::/home/mallory:/bin/sh\n")
    for name, mode in (("secret", 0o600), ("x.conf", 0o644), ("program", 0o755)):
        (etc / name).write_text(OLD)
        (etc / name).chmod(mode)
    home = root / "home" / "mallory"
    file = root / FILE.lstrip("/")
    file.parent.mkdir(parents=True)
    file.write_text(OLD)
    file.chmod(0o4755)
    for path in (home, *home.rglob("*")):
        os.chown(path, UID, UID)
    file.chmod(0o4755)
    return lambda: shutil.rmtree(root)


def swap(path: Path, target: Path) -> None:
    """Put a link in the place of something."""
    path.rename(path.with_name("swapped"))
    path.symlink_to(target)


def backup(root: Path) -> None:
    folder = (root / FILE.lstrip("/")).parent
    for path in folder.glob("*.rdna1-backup*"):
        swap(path, root / "etc/environment.d/secret")


def draft(root: Path) -> None:
    folder = (root / FILE.lstrip("/")).parent
    for path in folder.iterdir():
        if path.name not in ("x.conf", "x.conf.rdna1-backup"):
            swap(path, root / "etc/environment.d/secret")


def file(root: Path) -> None:
    swap(root / FILE.lstrip("/"), root / "etc/environment.d/x.conf")


def parent(root: Path) -> None:
    swap((root / FILE.lstrip("/")).parent, root / "etc/environment.d")


def grandparent(root: Path) -> None:
    folder = (root / FILE.lstrip("/")).parents[1]
    swap(folder, root / "etc")


def everything(root: Path) -> None:
    for act in (backup, draft, file):
        act(root)


@pytest.mark.parametrize("attack", [backup, draft, file, parent, grandparent, everything])
def test_nothing_of_roots_changes_at_any_step(root: Path, attack: Callable[[Path], None]) -> None:
    action: Action = RemoveSettings(FILE, {2: "3"})
    kept: dict[str, object] = {}

    def prepare() -> Step:
        clean = make(root)
        kept["before"] = owned_tree(root / "etc")
        return clean

    def run() -> None:
        list(apply(FixPlan([action], []), str(root)))

    steps = 0
    for steps in attacked_at_each_step(prepare, run, lambda: attack(root)):  # noqa: B007
        assert owned_tree(root / "etc") == kept["before"]
    assert steps > 10


def test_without_an_attack_it_is_done(root: Path) -> None:
    clean = make(root)
    planned = review(FixPlan([RemoveSettings(FILE, {2: "3"})], []), str(root))
    (result,) = apply(planned, str(root))
    assert result.error is None
    file = root / FILE.lstrip("/")
    assert file.read_text() == "A=1\n"
    kept = file.with_name("x.conf.rdna1-backup")
    assert kept.read_text() == OLD
    for path in (file, kept):
        status = path.stat()
        assert (status.st_uid, status.st_gid) == (UID, UID)
        assert status.st_mode & 0o777 == 0o755
    clean()


@pytest.fixture
def home(root: Path) -> Path:
    """The attacker's home."""
    make(root)
    return root / "home" / "mallory"


def fix(root: Path, path: str) -> tuple[list[str], list[str | None]]:
    """What is left to the user of one file, and the errors of what is tried."""
    planned = review(FixPlan([RemoveSettings(path, {2: "3"})], []), str(root))
    return planned.by_hand, [result.error for result in apply(planned, str(root))]


@pytest.mark.parametrize("target", ["dotfiles/profile", "/home/mallory/dotfiles/profile"])
def test_a_dotfile_that_is_a_link_in_the_home_is_repaired_where_it_leads(
    root: Path, home: Path, target: str
) -> None:
    def link() -> None:
        (home / "dotfiles").mkdir()
        (home / "dotfiles" / "profile").write_text(OLD)
        (home / ".profile").symlink_to(target)

    as_attacker(link)
    assert fix(root, "/home/mallory/.profile") == ([], [None])
    assert (home / ".profile").is_symlink()
    assert (home / "dotfiles" / "profile").read_text() == "A=1\n"
    assert (home / "dotfiles" / "profile.rdna1-backup").read_text() == OLD


@pytest.mark.parametrize(
    "target",
    ["/etc/environment.d/x.conf", "../../etc/environment.d/x.conf", "/home/other/.profile"],
)
def test_a_link_out_of_the_home_is_left_to_the_owner(root: Path, home: Path, target: str) -> None:
    other = root / "home" / "other"
    other.mkdir()
    (other / ".profile").write_text(OLD)
    for path in (other, other / ".profile"):
        os.chown(path, UID + 1, UID + 1)
    before = owned_tree(root / "etc") | owned_tree(other)
    as_attacker(lambda: (home / ".profile").symlink_to(target))
    ((line,), results) = fix(root, "/home/mallory/.profile")
    assert results == []
    assert line.startswith(f"{NAME} in /home/mallory/.profile: ")
    assert line.endswith(": take it out by hand")
    assert owned_tree(root / "etc") | owned_tree(other) == before


def test_a_folder_that_is_a_link_out_of_the_home_is_left_to_the_owner(
    root: Path, home: Path
) -> None:
    before = owned_tree(root / "etc")
    folder = home / ".config/environment.d"
    as_attacker(lambda: swap(folder, Path("../../../etc/environment.d")))
    ((line,), results) = fix(root, FILE)
    assert results == []
    assert ": take it out by hand" in line
    assert owned_tree(root / "etc") == before


def test_a_file_of_somebody_else_in_the_home_is_left_alone(root: Path, home: Path) -> None:
    theirs = home / ".profile"
    theirs.write_text(OLD)
    os.chown(theirs, UID + 1, UID + 1)
    by_hand, results = fix(root, "/home/mallory/.profile")
    assert (len(by_hand), results) == (1, [])
    assert theirs.read_text() == OLD


def test_a_link_of_roots_into_a_home_is_followed_with_its_owners_rights(
    root: Path, home: Path
) -> None:
    (root / "etc/environment.d/y.conf").symlink_to(FILE)
    assert fix(root, "/etc/environment.d/y.conf") == ([], [None])
    file = home / ".config/environment.d/x.conf"
    assert file.read_text() == "A=1\n"
    assert file.stat().st_uid == UID


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(root: Path, home: Path) -> None:
    as_attacker(lambda: os.mkfifo(home / ".profile"))
    by_hand, results = fix(root, "/home/mallory/.profile")
    assert (len(by_hand), results) == (1, [])
