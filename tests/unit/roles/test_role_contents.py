"""What a role is made of: no path of this project, no private name of another role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rdna1.guard import present
from rdna1.layout import HOME, MODULES_FILE, PROFILE_START, SYSTEM
from support.modules import load_by_path

ROOT = Path(__file__).parents[3]
ROLES = sorted((ROOT / "roles").iterdir())
# What a role does; its meta folder and README tell people of paths.
FOLDERS = ("tasks", "vars", "defaults", "templates", "handlers")
OWN_PATHS = (*SYSTEM, *HOME, MODULES_FILE, PROFILE_START)


def files(role: Path) -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((role / folder).glob("*"))]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_has_the_paths_of_this_project_from_the_plan(role: Path) -> None:
    found = [
        f"{path.name}: {own}"
        for path in files(role)
        for own in OWN_PATHS
        if re.search(rf"{re.escape(own)}(?![\w.-])", path.read_text().replace("{{ stack }}", ""))
        # The template knows the cache of whoever logs in by $HOME alone.
        and (path.name, own) != ("profile.sh.j2", HOME.cache)
    ]
    assert found == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_reads_no_private_name_of_another(role: Path) -> None:
    others = "|".join(other.name for other in ROLES if other != role)
    found = {
        name
        for path in files(role)
        for name in re.findall(rf"\b__(?:{others})_\w+", path.read_text())
    }
    assert found == set()


def test_the_guard_which_imports_nothing_has_the_same_paths() -> None:
    assert SYSTEM.envelope == present.SYSTEM_FILE
    assert HOME.envelope == present.USER_FILE


def tasks_of(content: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in content:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, []))


def test_the_plan_knows_every_option_that_a_role_passes() -> None:
    action = load_by_path(ROOT / "installer/ansible_plugins/action/rdna1_plan.py")
    known, parts = set(action.arguments()), []
    for role in ROLES:
        for path in (role / "tasks").glob("*.yml"):
            for task in tasks_of(yaml.safe_load(path.read_text())):
                asked = task.get("rdna1_plan", {})
                assert asked.keys() <= known, path
                parts += [asked["part"]] if asked else []
    assert set(parts) == set(action.arguments()["part"]["choices"])
