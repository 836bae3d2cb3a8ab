"""What a run was about to do with apt, and the order of runs: from records alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rdna1.target.snapshot import rollback
from rdna1.target.snapshot.differences import differences
from rdna1.target.snapshot.intended import NOTHING, Intended, intend, simulate
from rdna1.target.snapshot.rollback import plan
from rdna1.target.snapshot.runs import Run, begin, finish, list_runs
from unit.target.snapshot.test_rollback_plan import FACTS, file, state

# Of apt-get 2.6 --simulate.
SIMULATED = """\
NOTE: This is only a simulation!
Inst libnew (2.1-1 Debian:13.1/stable [amd64])
Inst libold [1.0] (1.1 Debian:13.1/stable [amd64])
Inst libi386:i386 (2.1-1 Debian:13.1/stable [i386])
Remv gone [1.0-1]
Purg config [1.0-1]
Conf libnew (2.1-1 Debian:13.1/stable [amd64])
"""


@pytest.fixture(autouse=True)
def nothing_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake for dpkg's dependencies, which test_rollback_packages.py is about."""
    monkeypatch.setattr(rollback, "needed", lambda _rootfs, _names: {})


def interrupted(name: str = "1") -> Run:
    return Run(name, [], state("base"), None)


def test_what_apt_would_do_is_read_from_its_simulation() -> None:
    found = simulate(lambda _: (0, SIMULATED, ""), ["install"], ["libnew", "libold=1.1"])
    assert found == Intended(
        install=["libnew", "libi386:i386"],
        upgrade=["libold"],
        remove=["gone", "config"],
        mark=["libnew", "libold"],
    )
    assert simulate(lambda _: (100, SIMULATED, "E: no"), ["install"], ["x"]) == NOTHING


def test_packages_of_an_interrupted_run_are_known_by_what_it_was_about_to_do(
    tmp_path: Path,
) -> None:
    begin(tmp_path, interrupted(), "now", FACTS)
    assert intend(tmp_path, Intended(["tool", "dep"], [], [], ["tool"]))
    # Of the same run after it was interrupted and ran again.
    assert intend(tmp_path, Intended(["torch"], [], [], []))
    now = state("base", "tool", "dep!", "torch", "vim", "vim-common!", "rocminfo")
    found = plan(list_runs(tmp_path), now)
    assert found.purge == ["dep", "tool", "torch"]
    assert found.perhaps == ["rocminfo", "vim", "vim-common"]


def test_a_run_that_did_not_come_to_apt_brought_no_package(tmp_path: Path) -> None:
    begin(tmp_path, interrupted(), "now", FACTS)
    found = plan(list_runs(tmp_path), state("base", "rocminfo", "dep!"))
    assert (found.purge, found.perhaps) == ([], ["dep", "rocminfo"])


def test_versions_that_the_owner_changed_during_an_interruption_stay(tmp_path: Path) -> None:
    before = Run("1", [], state("a=1", "b=1", "c=1!"), None)
    begin(tmp_path, before, "now", FACTS)
    intend(tmp_path, Intended([], ["a"], [], []))
    found = plan(list_runs(tmp_path), state("a=2", "b=2", "c=1"))
    assert found.versions == {"a": "1"}
    assert (found.auto, found.manual) == ([], [])


def test_nothing_is_intended_outside_of_a_run(tmp_path: Path) -> None:
    assert not intend(tmp_path, Intended(["a"], [], [], []))
    begin(tmp_path, interrupted(), "now", FACTS)
    finish(tmp_path, state("base", "a"))
    assert not intend(tmp_path, Intended(["a"], [], [], []))


def test_the_order_of_runs_does_not_follow_the_clock(tmp_path: Path) -> None:
    first, second, third = (state(*["base", "one", "two"][:n]) for n in (1, 2, 3))
    for name, before, after in [("2036", first, second), ("2026", second, third)]:
        begin(tmp_path, Run(name, [], before, None), "now", FACTS)
        finish(tmp_path, after)
    runs = list_runs(tmp_path)
    assert [run.name for run in runs] == ["2036", "2026"]
    assert plan(runs, third).purge == ["one", "two"]


def test_records_of_older_versions_are_the_oldest(tmp_path: Path) -> None:
    for name in ("2031", "2032"):
        begin(tmp_path, interrupted(name), "now", FACTS)
        finish(tmp_path, state("base", name))
        record = tmp_path / name / "before.json"
        content: dict[str, Any] = json.loads(record.read_text())
        content.pop("number")
        record.write_text(json.dumps(content))
    begin(tmp_path, interrupted("2026"), "now", FACTS)
    runs = list_runs(tmp_path)
    assert [run.name for run in runs] == ["2031", "2032", "2026"]
    assert [run.intended for run in runs] == [None, None, NOTHING]


def test_two_runs_in_what_the_clock_calls_one_second(tmp_path: Path) -> None:
    for package in ("one", "two"):
        begin(tmp_path, interrupted("2026"), "now", FACTS)
        finish(tmp_path, state("base", package))
    assert [run.name for run in list_runs(tmp_path)] == ["2026", "2026.2"]


def test_what_a_run_left_that_was_killed_while_it_wrote_its_record_goes(tmp_path: Path) -> None:
    (tmp_path / "2025").mkdir()
    (tmp_path / "2025" / "tmpabc").write_text('{"schema')
    begin(tmp_path, interrupted("2026"), "now", FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["2026"]


def test_differences_name_what_is_not_as_it_was() -> None:
    target = state("a", "b=1", "gone", files={"/etc/modules": file("a")})
    now = state("a", "b=2", "new", files={"/etc/modules": file("b")})
    assert differences(target, target) == []
    assert differences(target, now) == [
        "package b: was changed since, and not by a run",
        "package gone: was removed since, and not by a run",
        "package new: came since, and not by a run",
        "/etc/modules: was changed since, and not by a run",
    ]


def test_a_package_that_is_half_unpacked_is_told_from_others() -> None:
    now = state("base", "whole", "half")
    now.packages["half"]["state"] = "reinstreq half-installed"
    after = state("base", "whole", "half")
    found = plan([Run("1", [], state("base"), after)], now)
    assert (found.purge, found.broken) == (["half", "whole"], ["half"])
