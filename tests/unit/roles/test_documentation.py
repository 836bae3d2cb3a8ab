"""A role's argument spec, its defaults and its README say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from rdna1.catalog.stacks import DEFAULT_STACK
from support.modules import load_by_path

ROOT = Path(__file__).parents[3]
ROLES = sorted((ROOT / "roles").iterdir())
INSTALL_PAGE = ROOT / "docs" / "install.md"


generate = load_by_path(ROOT / "docs" / "generate.py")


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_are_those_of_the_argument_spec(role: Path) -> None:
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    options = generate.argument_spec(role)
    assert defaults == {name: option["default"] for name, option in options.items()}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_variables_carry_the_name_of_their_role(role: Path) -> None:
    assert all(name.startswith(f"{role.name}_") for name in generate.argument_spec(role))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_documented_variables_are_used(role: Path) -> None:
    text = "".join(
        path.read_text()
        for folder in ("tasks", "templates", "vars")
        for path in (role / folder).glob("*")
        if (role / folder).is_dir()
    )
    unused = [name for name in generate.argument_spec(role) if name not in text]
    assert unused == []


@pytest.mark.parametrize(
    "role", [role for role in ROLES if role.name != "rollback"], ids=lambda role: role.name
)
def test_default_stack_is_that_of_the_package(role: Path) -> None:
    default = yaml.safe_load((role / "defaults" / "main.yml").read_text())[f"{role.name}_stack"]
    assert default == f"{{{{ rdna1_stack | default('{DEFAULT_STACK}') }}}}"


def test_shared_variables_are_known_to_the_preflight_action() -> None:
    used = set()
    for folder in ("roles", "playbooks", "inventory", "molecule"):
        for path in (ROOT / folder).rglob("*.yml"):
            used |= set(re.findall(r"\brdna1_\w+", path.read_text()))
    plugins = {path.stem for path in (ROOT / "installer" / "ansible_plugins").rglob("*.py")}
    filters = load_by_path(ROOT / "installer/ansible_plugins/filter/rdna1.py")
    plugins |= set(filters.FilterModule().filters())
    action = load_by_path(ROOT / "installer/ansible_plugins/action/rdna1_preflight.py")
    assert used - plugins == set(action.SHARED_VARIABLES)
    documented = set(re.findall(r"^\| `(rdna1_\w+)` \|", INSTALL_PAGE.read_text(), re.M))
    assert documented == set(action.SHARED_VARIABLES)
