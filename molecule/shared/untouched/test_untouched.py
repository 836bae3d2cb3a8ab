"""The box is what it was before the first play."""

from __future__ import annotations

from support.scenario import change_of_state


def test_the_box_is_what_it_was() -> None:
    found = change_of_state()
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}
