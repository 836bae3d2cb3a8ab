"""What site.yml said, and that the box is what it was."""

from __future__ import annotations

import re

import pytest

from support.scenario import change_of_state, scenario_folder


def refusal() -> str:
    """The output of the run, without its line breaks."""
    return " ".join((scenario_folder() / "refusal.txt").read_text().split())


@pytest.mark.parametrize(
    "reason", ["libtinfo5", "libncurses5", "libstdc++-5-dev", "libstdc++-7-dev", "glibc is 2.39"]
)
def test_every_reason_is_named(reason: str) -> None:
    assert reason in refusal()


def test_the_remedy_is_named() -> None:
    assert "Use the stack rocm-5.7 on this release, or install Ubuntu 22.04" in refusal()


def test_the_run_changed_nothing() -> None:
    assert re.search(r"changed=0 unreachable=0 failed=1", refusal())
    found = change_of_state()
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}
