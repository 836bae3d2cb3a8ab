"""Whose doing is what: the plan of a rollback from records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rdna1.target.snapshot import rollback
from rdna1.target.snapshot.intended import Intended
from rdna1.target.snapshot.records import RunError
from rdna1.target.snapshot.rollback import plan
from rdna1.target.snapshot.runs import Run, begin, choose, finish, list_runs
from rdna1.target.snapshot.state import State
from rdna1.target.snapshot.watch import Place, covers

ROLES = Path(__file__).parents[4] / "roles"
FACTS: dict[str, Any] = {
    "os": {"id": "debian", "version_id": "13"},
    "kernel": {"release": "6.12", "cmdline": "quiet | splash"},
    "glibc": "2.41",
    "variables": [],
    "apt": {"packages": {}, "sources": None, "keyrings": None, "pins": None},
}


def state(*packages: str, **other: Any) -> State:
    """A state with these packages: ``name``, ``name=version``, ``name!`` for automatic ones."""
    entries = {}
    for text in packages:
        name, _, version = text.rstrip("!").partition("=")
        entries[name] = {"version": version or "1", "auto": text.endswith("!"), "hold": False}
    etc = [Place("/etc", 9)]
    empty: dict[str, Any] = {"leftovers": [], "groups": {}, "files": {}, "places": etc}
    return State(packages=entries, **{**empty, **other})


def file(sha256: str) -> dict[str, Any]:
    return {"kind": "file", "uid": 0, "gid": 0, "mode": "0644", "sha256": sha256}


def run(before: State, after: State | None, name: str = "1", users: tuple[str, ...] = ()) -> Run:
    return Run(name, list(users), before, after)


def groups(**members: list[str]) -> State:
    """A state with these groups."""
    return state(groups={name: {"gid": 1, "members": users} for name, users in members.items()})


@pytest.fixture(autouse=True)
def nothing_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake for dpkg's dependencies, which test_rollback_packages.py is about."""
    monkeypatch.setattr(rollback, "needed", lambda _rootfs, _names: {})


def test_packages_of_the_owner_stay() -> None:
    now = state("base", "ours", "dep!", "mine")
    found = plan([run(state("base"), state("base", "ours", "dep!"))], now)
    assert (found.purge, found.perhaps) == (["dep", "ours"], [])


def test_a_package_whose_configuration_was_there_keeps_it() -> None:
    before = state("base", leftovers=["ours"])
    found = plan([run(before, state("base", "ours"))], state("base", "ours"))
    assert (found.purge, found.remove) == ([], ["ours"])


def test_configuration_that_a_removal_cut_short_left_goes() -> None:
    """apt-get removes a package and purges it later, and was killed in between."""
    complete = run(state("base"), state("base", "ours", "other"))
    now = state("base", "other", leftovers=["mine", "ours"])
    assert plan([complete], now).purge == ["other", "ours"]
    interrupted = run(state("base"), None)._replace(intended=Intended(["ours"], [], [], []))
    assert plan([interrupted], state("base", leftovers=["mine", "ours"])).purge == ["ours"]
    before = state("base", leftovers=["ours"])
    assert plan([run(before, state("base", "ours"))], before).purge == []


def test_an_interrupted_run_leaves_open_what_the_owner_may_have_installed() -> None:
    found = plan([run(state("base"), None)], state("base", "rocminfo", "dep!", "vim"))
    assert (found.purge, found.perhaps) == (["dep", "rocminfo"], ["vim"])


def test_only_versions_that_a_run_changed_come_back() -> None:
    before, after = state("a=1", "b=1", "c=1"), state("a=2", "b=1")
    found = plan([run(before, after)], state("a=2", "b=5"))
    assert found.versions == {"a": "1", "c": "1"}
    assert plan([run(before, after)], state("a=3", "b=1", "c=2")).versions == {}


def test_marks_that_a_run_changed_come_back() -> None:
    before, after = state("a!", "b", "c!"), state("a", "b", "c!")
    found = plan([run(before, after)], state("a", "b!", "c"))
    assert (found.auto, found.manual) == (["a"], [])


def test_a_package_that_came_back_is_marked_as_it_was() -> None:
    found = plan([run(state("a!", "b"), state())], state("a", "b!"))
    assert (found.auto, found.manual) == (["a"], ["b"])


def test_memberships_and_groups() -> None:
    before = groups(video=["bob"])
    after = groups(video=["bob", "ada"], render=["ada"], sgx=[])
    now = groups(video=["bob", "ada", "eve"], render=["ada", "eve"], sgx=[], docker=["ada"])
    found = plan([run(before, after, users=("ada",))], now)
    assert found.members == [("render", "ada"), ("video", "ada")]
    assert (found.groups, found.used_groups) == (["sgx"], ["render"])


def test_group_changes_of_others_during_an_interrupted_run_stay() -> None:
    before = groups(video=[], docker=[])
    now = groups(
        video=["ada", "eve"], render=["ada"], docker=["ada", "eve"], games=[], staff=["eve"]
    )
    found = plan([run(before, None, users=("ada",))], now)
    assert found.members == [("render", "ada"), ("video", "ada")]
    assert (found.groups, found.used_groups) == (["render"], [])
    assert found.perhaps_groups == ["games", "staff"]


def test_a_group_that_others_joined_during_an_interrupted_run_stays() -> None:
    found = plan([run(groups(), None, users=("ada",))], groups(render=["ada", "eve"]))
    assert found.members == [("render", "ada")]
    assert (found.groups, found.used_groups) == ([], ["render"])


def test_memberships_of_others_during_a_complete_run_stay() -> None:
    before, after = groups(video=[], docker=[]), groups(video=["ada", "eve"], docker=["eve"])
    assert plan([run(before, after, users=("ada",))], after).members == [("video", "ada")]


def test_without_named_users_no_membership_is_taken_back() -> None:
    assert plan([run(groups(video=[]), None)], groups(video=["eve"])).members == []


def test_the_users_of_a_run_that_goes_on_are_added_to_the_record(tmp_path: Any) -> None:
    begin(tmp_path, run(state(), None, users=("ada",)), "now", FACTS)
    begin(tmp_path, run(state(), None, "2", users=("bob", "ada")), "now", FACTS)
    assert [(r.name, r.users) for r in list_runs(tmp_path)] == [("1", ["ada", "bob"])]


def test_files_go_back_to_before_the_first_run_that_changed_them() -> None:
    one, two, three = (state(files={"/etc/modules": file(c)}) for c in "abc")
    found = plan([run(one, two), run(two, three, "2")], three)
    assert [(c.before, c.after) for c in found.files] == [(file("a"), file("c"))]
    assert plan([run(one, two), run(two, three, "2")], one).files == []


def test_a_file_that_came_during_an_interruption_is_ours_by_its_name_only() -> None:
    paths = ["/etc/apt/sources.list.d/mine.list", "/etc/profile.d/rocm-rdna1-57.sh"]
    now = state(files={path: file("a") for path in paths})
    found = plan([run(state(), None)], now)
    assert [change.ours for change in found.files] == [False, True]


def test_what_nobody_looked_for_before_is_nobodys_doing() -> None:
    before = state(places=[Place("/home/ada/.bashrc", 0)])
    paths = ["/home/ada/.bashrc.rdna1-backup", "/etc/default/locale"]
    after = state(files={path: file("a") for path in paths})
    found = plan([run(before, after)], after)
    assert [change.path for change in found.files] == ["/home/ada/.bashrc.rdna1-backup"]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/etc/apt/deep/er", True),
        ("/etc/aptitude", False),
        ("/etc/modules", True),
        ("/etc/modules.rdna1-backup.2", True),
        ("/etc/modules/x", False),
        ("/usr/local/bin/rdna1-audit", True),
        ("/usr/local/bin/mine", False),
    ],
)
def test_covered_paths(path: str, known: bool) -> None:
    assert covers(path, [Place("/etc/apt", 3), Place("/etc/modules", 0)]) is known


def test_records_of_runs(tmp_path: Any) -> None:
    first, later = state("a"), state("a", "b")
    assert begin(tmp_path, run(first, None, "1"), "now", FACTS)
    # An interrupted run goes on.
    assert not begin(tmp_path, run(later, None, "2"), "now", FACTS)
    assert finish(tmp_path, later)
    assert begin(tmp_path, run(later, None, "2"), "now", FACTS)
    # A run that changed nothing leaves nothing.
    assert not finish(tmp_path, later)
    assert [r.name for r in list_runs(tmp_path)] == ["1"]
    assert list_runs(tmp_path)[0].after == later
    page = (tmp_path / "1" / "before.md").read_text()
    assert "| a | 1 | manual |  |" in page
    assert "quiet \\| splash" in page
    assert (tmp_path / "1").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "1" / "before.json").stat().st_mode & 0o777 == 0o600


def test_what_was_left_out_is_on_the_page_with_its_reason(tmp_path: Any) -> None:
    entry = {"kind": "left out", "reason": "not of the owner of the home"}
    files = {"/home/ada/.bashrc": entry, "/etc/modules": {**file("a"), "reason": "too large"}}
    begin(tmp_path, run(state(files=files), None, "1"), "now", FACTS)
    page = (tmp_path / "1" / "before.md").read_text()
    assert "| /home/ada/.bashrc | left out |  |  | not of the owner of the home |" in page
    assert list_runs(tmp_path)[0].before.files == files


def test_a_wrong_name_lists_the_snapshots(tmp_path: Any) -> None:
    begin(tmp_path, run(state(), None, "2026-rocm-5.7"), "now", FACTS)
    with pytest.raises(RunError, match=r"no snapshot 2025\. Remedy(.|\n)*\n  2026-rocm-5\.7$"):
        choose(list_runs(tmp_path), "2025", tmp_path)


def test_without_snapshots_there_is_nothing_to_go_back_to(tmp_path: Any) -> None:
    with pytest.raises(RunError, match="there is no snapshot"):
        choose(list_runs(tmp_path), "", tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema_version": 9}', '{"schema_version": 1}'])
def test_a_damaged_record_is_named(tmp_path: Any, content: str) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "before.json").write_text(content)
    with pytest.raises(RunError, match=r"/1.*Remedy: restore it"):
        list_runs(tmp_path)
