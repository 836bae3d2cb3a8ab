"""Which remedies follow from facts, and that failures do not keep the others from being done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rdna1.fix import AddToGroups, ConfigurePackages, FixPlan, RemoveSettings, apply, plan, review
from rdna1.fix.apply import ProgramError, run_program
from rdna1.preflight import load_facts
from rdna1.target.facts.collect import collect

HEALTHY = Path(__file__).parents[2] / "fixtures/ubuntu-24.04-rx5700xt"
NAME = "MIOPEN_FIND_ENFORCE"


def planned(changes: Mapping[str, object], apt: Mapping[str, object] | None = None) -> FixPlan:
    facts: Any = collect(str(HEALTHY), ["ann"])
    facts.update({"root": "/", **changes})
    facts["apt"].update({"half_configured": [], "lock_holder": None, **(apt or {})})
    return plan(load_facts(facts))


def test_settings_alone() -> None:
    facts: Any = collect(str(HEALTHY), ["ann"])
    facts.update({"root": "/", **user(), **kfd("render"), **enforce(("/a", 1, "3"))})
    assert len(plan(load_facts(facts)).actions) > 1
    found = plan(load_facts(facts), only_settings=True)
    assert found == FixPlan([RemoveSettings("/a", {1: "3"})], [])


def user(*groups: str, name: str = "ann", exists: bool = True) -> dict[str, object]:
    return {"users": [{"name": name, "exists": exists, "groups": list(groups)}]}


def kfd(group: str, mode: str = "0660") -> dict[str, object]:
    device = {"path": "/dev/kfd", "owner": "root", "group": group, "mode": mode}
    return {"kfd": {"device": device, "nodes": []}, "render_nodes": []}


def enforce(*places: tuple[str, int | None, str]) -> dict[str, object]:
    return {"variables": [{"name": NAME, "value": v, "place": p, "line": n} for p, n, v in places]}


def test_nothing_is_planned_for_a_right_machine() -> None:
    assert planned(user("render")) == FixPlan([], [])


def test_settings_are_planned_file_by_file() -> None:
    found = planned(
        {**user("render"), **enforce(("/a", 1, "3"), ("environment", None, "3"), ("/a", 9, ""))}
    )
    assert found.actions == [RemoveSettings("/a", {1: "3", 9: ""})]
    assert found.actions[0].title == f"remove {NAME} from /a, lines 1, 9"
    assert found.by_hand == [f"environment: {NAME}=3: run unset {NAME} in this shell"]


@pytest.mark.parametrize(
    ("changes", "actions", "words"),
    [
        ({**user("ann"), **kfd("render")}, [AddToGroups("ann", ["render"])], ""),
        ({**user("ann"), **kfd("video")}, [AddToGroups("ann", ["video"])], ""),
        ({**user("ann"), **kfd("root", "0600")}, [], ""),
        ({**user("ann"), **kfd("compute")}, [], ""),
        ({**user("ann"), **kfd("root", "0666")}, [], ""),
        ({**user("root", name="root"), **kfd("render")}, [], ""),
        ({**user(name="ghost", exists=False), **kfd("render")}, [], ""),
        (
            {**user("staff", exists=False), **kfd("render")},
            [],
            "ann is not a user of /etc/passwd: add ann to render where it is managed",
        ),
        (
            {**user("ann"), **kfd("render"), "root": "/mnt"},
            [],
            "on the machine itself: add ann to render",
        ),
        ({"users": None}, [], ""),
    ],
)
def test_groups(changes: dict[str, object], actions: list[object], words: str) -> None:
    assert planned(changes) == FixPlan(actions, [words] if words else [])  # type: ignore[arg-type]


def test_unfinished_packages() -> None:
    ready = user("render")
    assert planned(ready, {"half_configured": ["a", "b"]}).actions == [
        ConfigurePackages(["a", "b"])
    ]
    # The action waits for the lock.
    locked = {"half_configured": ["a"], "lock_holder": {"pid": 7, "command": "apt"}}
    assert planned(ready, locked) == FixPlan([ConfigurePackages(["a"])], [])
    assert planned(ready, {"dpkg_journal": 3}) == FixPlan([ConfigurePackages([])], [])
    assert planned(ready, {"half_configured": None}) == FixPlan([], [])


def test_commands_cannot_take_a_name_for_an_option() -> None:
    assert AddToGroups("-R", ["render", "video"]).command == [
        *("usermod", "-aG", "render,video", "--", "-R")
    ]


def test_a_failure_does_not_keep_the_others_from_being_done(tmp_path: Path) -> None:
    (tmp_path / "b").write_text(f"export {NAME}=3\n")
    work = FixPlan(
        [
            RemoveSettings("/gone", {1: "3"}),
            AddToGroups("ann", ["render"]),
            RemoveSettings("/b", {1: "3"}),
            ConfigurePackages(["a"]),
        ],
        [],
    )
    commands = []

    def run(command: list[str]) -> None:
        commands.append(command[0])
        if command[0] == "usermod":
            raise ProgramError("usermod ended with status 6")

    results = list(apply(work, str(tmp_path), run))
    assert [result.error for result in results] == [
        "/gone: No such file or directory",
        "usermod ended with status 6",
        None,
        None,
    ]
    assert commands == ["usermod", "dpkg"]
    assert (tmp_path / "b").read_text() == ""
    assert results[2].backup == str(tmp_path / "b.rdna1-backup")


def test_a_file_that_changed_since_the_plan_stays(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    file.write_text(f"A=1\n{NAME}=3\n")
    work = review(FixPlan([RemoveSettings("/environment", {2: "3"})], []), str(tmp_path))
    assert work.by_hand == []
    file.write_text(f"A=1\nB=2\n{NAME}=3\n")
    (result,) = apply(work, str(tmp_path))
    assert result.error == f"line 2 does not set {NAME} any more"
    assert file.read_text() == f"A=1\nB=2\n{NAME}=3\n"
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_taken_out_safely_is_left_to_the_user(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"true && {NAME}=3\n")
    removals = [RemoveSettings(path, {1: "3"}) for path in ("/a", "/b")]
    assert review(
        FixPlan([*removals, ConfigurePackages(["x"])], ["first"]), str(tmp_path)
    ) == FixPlan(
        [ConfigurePackages(["x"])],
        [
            "first",
            f"{NAME} in /a: line 1 does more than setting variables",
            "/b: No such file or directory",
        ],
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["false"], "false ended with status 1"),
        (["no-such-program"], "no-such-program: No such file or directory"),
    ],
)
def test_programs_that_fail(command: list[str], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        run_program(command)


def test_programs_are_those_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "env").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "env").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    run_program(["env"])
    assert "DEBIAN_FRONTEND=noninteractive" in capfd.readouterr().out
