"""Settings that the facts know are not written again; what the facts may not know is."""

from __future__ import annotations

from typing import Any

import pytest

from rdna1.plan.profile_written import are_written

PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
COMMAND = "/usr/local/bin/rdna1-validate"
TARGET = "/opt/rdna1/rocm-5.7/bin/rdna1-validate"
OURS = {"owner": "root", "group": "root"}
# sha256sum of "A=1\n"
DIGEST = "91d6a3d55e9fea7911c537afae6607c77fa8bc0f3a76c375e104ac5a8cfa84db"


def wanted(**changed: object) -> dict[str, Any]:
    return {
        "folders": ["/etc/rdna1"],
        "files": [{"path": PROFILE, "content": "A=1\n", "backup": True}],
        "links": {COMMAND: TARGET},
        "stale": ["/etc/profile.d/rocm-rdna1-*.sh"],
        **OURS,
        **changed,
    }


def found() -> list[dict[str, Any]]:
    return [
        {"path": PROFILE, "mode": "0644", **OURS, "sha256": DIGEST},
        {"path": "/etc/rdna1", "mode": "0755", **OURS},
        {"path": "/etc/rdna1/envelope.json", "mode": "0644", **OURS, "sha256": "0"},
        {"path": COMMAND, "target": TARGET},
    ]


def test_what_is_as_wanted_is_written() -> None:
    assert are_written(wanted(), found())


@pytest.mark.parametrize("place", [0, 1, 3])
def test_any_difference_has_it_written_again(place: int) -> None:
    for key in found()[place]:
        entries = found()
        entries[place][key] = "other"
        assert not are_written(wanted(), entries), key


def test_what_else_is_there_does_not_matter() -> None:
    entries = found()
    del entries[2]
    assert are_written(wanted(), entries)


def test_a_file_of_another_stack_is_stale() -> None:
    other = {"path": "/etc/profile.d/rocm-rdna1-52.sh", "mode": "0644", **OURS, "sha256": "0"}
    assert not are_written(wanted(), [*found(), other])


def test_one_file_that_shall_not_be_there() -> None:
    envelope = {"files": [], "folders": [], "links": {}, "stale": ["/etc/rdna1/envelope.json"]}
    assert not are_written(wanted(**envelope), found())
    assert are_written(wanted(**envelope), [])


@pytest.mark.parametrize(
    "pattern", ["/home/ann/.config/environment.d/rdna1-*.conf", "/etc/*", "/etc/x"]
)
def test_where_the_facts_do_not_look_only_the_machine_can_tell(pattern: str) -> None:
    assert not are_written(wanted(stale=[pattern]), found())
