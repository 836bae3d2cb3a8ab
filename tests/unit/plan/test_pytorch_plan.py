"""PyTorch's part of the plan: where it comes from, and for which Python and card."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from rdna1.catalog.repositories import distribution
from rdna1.catalog.stacks import PytorchSource, UnknownChannelError, load_stack, stack_names
from rdna1.plan.options import PlanError
from rdna1.plan.pytorch import pytorch_plan
from rdna1.plan.wheels import wheels_plan
from rdna1.preflight.facts import Python
from rdna1.preflight.model import Scope
from unit.plan.conftest import Ask

ROOT = Path(__file__).parents[3]
OWN = distribution().own_requirements


def test_the_stacks_choice_is_its_wheels(ask: Ask) -> None:
    plan = pytorch_plan(ask())
    assert (plan.source, plan.packages, plan.missing) == ("index", [], [])
    assert plan.environments == "/opt/rdna1"


def test_the_distributions_comes_with_what_this_project_imports(ask: Ask) -> None:
    apt = {"packages": {"python3-torch": "2.6.0", "python3-yaml": "6"}}
    plan = pytorch_plan(ask("debian 13", pytorch_source="distro", apt=apt))
    assert plan.packages == ["python3-torch", *OWN]
    assert plan.missing == [name for name in OWN if name != "python3-yaml"]


@pytest.mark.parametrize(
    ("pythons", "version"),
    [
        ([Python("/usr/bin/python3.13", "3.14"), Python("/usr/bin/python3", "3.13")], "3.13"),
        ([], "3"),
        (None, "3"),
    ],
)
def test_the_distributions_python_is_what_the_link_names(
    pythons: list[Python] | None, version: str, ask: Ask
) -> None:
    plan = pytorch_plan(ask(machine={"pythons": pythons}, pytorch_source="distro"))
    assert (plan.python, plan.python_path) == (version, "/usr/bin/python3")


@pytest.mark.parametrize("stack", stack_names())
@pytest.mark.parametrize("scope", get_args(Scope))
@pytest.mark.parametrize("source", ["", *get_args(PytorchSource)])
def test_every_stack_and_scope_has_a_plan_or_a_remedy(
    stack: str, scope: str, source: str, ask: Ask
) -> None:
    request = ask(stack=stack, scope=scope, pytorch_source=source)
    folder = {"system": "/opt/rdna1", "user": "/home/ann/.local/share/rdna1"}[scope]
    try:
        plan = pytorch_plan(request)
    except PlanError as error:
        assert "Remedy: " in str(error)
        assert source == "distro"
        assert scope == "user" or not load_stack(stack).pytorch.distro_packages
    else:
        assert (plan.environments, bool(plan.packages)) == (folder, source == "distro")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "rocm-5.7-3.12-x86_64-linux.txt"),
        ({"stack": "rocm-5.2"}, "rocm-5.2-3.10-x86_64-linux.txt"),
        ({"stack": "therock"}, "therock-3.12-x86_64-linux-gfx1010.txt"),
        (
            {"stack": "therock", "pytorch_gfx_target": "gfx1012", "pytorch_channel": "nightly"},
            "therock-nightly-3.12-x86_64-linux-gfx1012.txt",
        ),
    ],
)
def test_the_lock_is_named_for_what_decides_its_wheels(
    options: dict[str, Any], name: str, ask: Ask
) -> None:
    pythons = [Python("/usr/bin/python3", "3.12")]
    wheels = wheels_plan(ask(machine={"pythons": pythons}, **options), ROOT)
    assert wheels.lock_name == name
    assert wheels.python_path == ("/usr/bin/python3" if "3.12" in name else "")
    assert any(each.startswith("msgspec") for each in wheels.wanted.project)


def test_another_index_is_asked_and_not_shown(ask: Ask) -> None:
    own = load_stack("rocm-5.7").pytorch.index_url
    wheels = wheels_plan(ask(pytorch_index_url="https://a:b@index.example"), ROOT)
    assert (wheels.wanted.index_url, wheels.index_url) == ("https://a:b@index.example", own)


def test_wheels_for_no_card_are_refused_with_a_remedy(ask: Ask) -> None:
    with pytest.raises(
        PlanError, match=r"no RDNA1 card\. Remedy: name one with pytorch_gfx_target"
    ):
        wheels_plan(ask(stack="therock", machine={"displays": []}), ROOT)
    with pytest.raises(PlanError, match="no wheels for 'gfx906'"):
        wheels_plan(ask(stack="therock", pytorch_gfx_target="gfx906"), ROOT)


def test_a_channel_that_the_stack_does_not_have_is_refused(ask: Ask) -> None:
    with pytest.raises(UnknownChannelError, match="Remedy"):
        wheels_plan(ask(pytorch_channel="nightly"), ROOT)
