"""The page about the source shows the source as it is, and the recipes name what is there."""

from __future__ import annotations

import re

import architecture

from support.shown_commands import ROOT


def test_an_import_that_others_imply_is_left_out() -> None:
    edges = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": set()}
    assert architecture.diagram(edges).splitlines()[2:-1] == ["    a --> b", "    b --> c", "    d"]


def test_relative_imports_count() -> None:
    found = architecture.imports()
    assert set(found) == set(architecture.rooms())
    # Modules of the target import each other by relative names alone.
    assert "target" in found["catalog"]
    assert found["target"] == set()


def test_no_room_is_reached_from_itself() -> None:
    edges = architecture.imports()
    circles = [room for room in edges if room in architecture.reached(edges, room)]
    assert circles == []


def test_the_recipes_name_what_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:installer|tests|docs|playbooks|roles|molecule)(?:/[\w./-]+)?)`", page)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
