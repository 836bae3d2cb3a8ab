from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rdna1.catalog.stacks import requested_packages
from rdna1.target.facts.collect import collect

FIXTURES = Path(__file__).parents[2] / "fixtures"
GIB = 1024**3

MakeFacts = Callable[[Mapping[str, object]], Any]


@pytest.fixture(scope="session")
def make_facts() -> MakeFacts:
    """Facts of a machine with nothing wrong, with values changed by their dotted names."""
    healthy: Any = collect(str(FIXTURES / "ubuntu-24.04-rx5700xt"), ["ann"])
    device = {"owner": "root", "group": "render", "mode": "0660"}
    healthy["kfd"]["device"].update(device)
    healthy["render_nodes"][0].update(device)
    healthy["disk"] = [
        {"path": path, "free_bytes": 50 * GIB, "device": 1}
        for path in ("/", "/home", "/opt", "/var")
    ]
    healthy["session"] = {"user": "ann", "groups": ["ann", "render"]}
    healthy["apt"]["candidates"] = {
        name: {"version": "1", "origins": ["http://archive.ubuntu.com/ubuntu noble/universe amd64"]}
        for name in requested_packages()
    }
    healthy["unknown"] = {}

    def make(changes: Mapping[str, object]) -> Any:
        facts = copy.deepcopy(healthy)
        for name, value in changes.items():
            *groups, last = (
                name.split(".")
                if not name.startswith("unknown.")
                else (
                    "unknown",
                    name.removeprefix("unknown."),
                )
            )
            place = facts
            for group in groups:
                place = place[group]
            place[last] = value
        return facts

    return make
