"""The variables' part of the plan: values, files of both scopes, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rdna1.catalog.cards import card_list
from rdna1.catalog.stacks import load_stack, stack_names
from rdna1.plan.measurement import measurement_plan
from rdna1.plan.options import PlanError
from rdna1.plan.state import state_plan
from rdna1.plan.variables import VariablesPlan, variables_plan
from rdna1.preflight.facts import Envelope, MiopenDatabase, User, Variable
from unit.plan.conftest import Ask

HOME = "/home/ann"
SYSTEM_FILES = {
    "/etc/profile.d/rocm-rdna1-57.sh": True,
    "/etc/rdna1/rocm-5.7/activate.sh": True,
    "/etc/rdna1/rocm-5.7.env": True,
    "/etc/rdna1/stack.json": False,
}
HOME_FILES = {
    f"{HOME}/.config/rdna1/profile.sh": True,
    f"{HOME}/.config/rdna1/rocm-5.7/activate.sh": True,
    f"{HOME}/.config/rdna1/rocm-5.7.env": True,
    f"{HOME}/.config/environment.d/rdna1-rocm-5.7.conf": False,
    f"{HOME}/.config/rdna1/stack.json": False,
}


def exported(plan: VariablesPlan) -> dict[str, str]:
    """Variables of the file for services, which sets them without a condition."""
    text = next(file.content for file in plan.files if file.path.endswith(".env"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.partition("=")[0]: line.partition("=")[2].strip('"') for line in lines}


def test_files_of_the_whole_machine(ask: Ask) -> None:
    plan = variables_plan(ask())
    assert {file.path: file.backup for file in plan.files} == SYSTEM_FILES
    assert plan.folders == ["/etc/rdna1", "/etc/rdna1/rocm-5.7"]
    assert plan.links["/usr/local/bin/rdna1-audit"] == "/opt/rdna1/rocm-5.7/bin/rdna1-audit"
    assert plan.stale == "/etc/profile.d/rocm-rdna1-*.sh"
    assert (plan.owner, plan.group) == ("root", "root")


def test_files_of_a_home(ask: Ask) -> None:
    plan = variables_plan(ask(scope="user"))
    assert {file.path: file.backup for file in plan.files} == HOME_FILES
    commands = f"{HOME}/.local/share/rdna1/rocm-5.7/bin"
    assert plan.links[f"{HOME}/.local/bin/rdna1-audit"] == f"{commands}/rdna1-audit"
    assert plan.stale == f"{HOME}/.config/environment.d/rdna1-*.conf"
    assert (plan.owner, plan.group) == (1000, 1000)


@pytest.mark.parametrize("stack", stack_names())
def test_a_service_has_the_variables_of_the_stack(stack: str, ask: Ask) -> None:
    variables = load_stack(stack).environment.variables
    assert exported(variables_plan(ask(stack=stack))) == variables


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({"environment_guard": True}, {"RDNA1_GUARD": "1"}),
        ({"environment_guard": True, "environment_variables": {"RDNA1_GUARD": "0"}},
         {"RDNA1_GUARD": "0"}),
        ({"environment_variables": {"HSA_OVERRIDE_GFX_VERSION": ""}},
         {"HSA_OVERRIDE_GFX_VERSION": None}),
        ({"environment_variables": {"HSA_OVERRIDE_GFX_VERSION": None}},
         {"HSA_OVERRIDE_GFX_VERSION": None}),
        # As YAML has numbers.
        ({"environment_variables": {"HSA_ENABLE_SDMA": 0}}, {"HSA_ENABLE_SDMA": "0"}),
    ],
)  # fmt: skip
def test_the_owners_values_win(
    options: dict[str, Any], changed: dict[str, str | None], ask: Ask
) -> None:
    expected = {**load_stack("rocm-5.7").environment.variables, **changed}
    assert exported(variables_plan(ask(**options))) == {
        name: value for name, value in expected.items() if value is not None
    }


def test_a_profile_replaces_the_stacks_choice_of_algorithms(ask: Ask) -> None:
    profiles = load_stack("rocm-5.7").miopen_profiles
    for name, profile in profiles.items():
        plan = variables_plan(ask(environment_miopen_profile=name))
        others = {each for other in profiles.values() for each in other.variables}
        found = exported(plan)
        assert {n: found[n] for n in others & found.keys()} == profile.variables
        written = json.loads(plan.files[-1].content)
        assert written["miopen_profile"] == name
        assert written["miopen_filters"] == plan.filters
        assert plan.filters == {
            n: value for n, value in found.items() if n.startswith("MIOPEN_DEBUG_")
        }


def test_the_name_of_the_stack_is_written_for_programs(ask: Ask) -> None:
    content = variables_plan(ask()).files[-1].content
    assert content.endswith("}\n")
    assert json.loads(content).items() >= {
        "schema_version": 1,
        "stack": "rocm-5.7",
        "rocm_version": "5.7.1",
        "environment": "/opt/rdna1/rocm-5.7",
        "miopen_profile": "default",
    }.items()  # fmt: skip


def test_every_board_of_the_card_list_is_matched(ask: Ask) -> None:
    profile = variables_plan(ask()).files[0].content
    boards = [device for chip in card_list().chips for device in chip.boards]
    assert all(f"0x1002:0x{device}" in profile for device in boards)


@pytest.mark.parametrize(
    ("scope", "variables", "refused"),
    [
        ("system", {"MIOPEN_FIND_ENFORCE": "3"}, True),
        ("system", {"not a name": "1"}, True),
        ("system", {"NAME\n": "1"}, True),
        ("system", {"NAME": "a\x1bb"}, True),
        ("system", {"NAME": "$HOME"}, False),
        ("user", {"NAME": "$HOME"}, True),
    ],
)
def test_variables_that_no_profile_may_set(
    scope: str, variables: dict[str, str], refused: bool, ask: Ask
) -> None:
    request = ask(scope=scope, environment_variables=variables)
    if refused:
        with pytest.raises(PlanError, match="Remedy: correct it in the inventory"):
            variables_plan(request)
    else:
        assert exported(variables_plan(request))["NAME"] == r"\$HOME"


@pytest.mark.parametrize("stack", ["rocm-5.2", "therock"])
def test_a_profile_that_the_stack_does_not_have_is_refused(stack: str, ask: Ask) -> None:
    with pytest.raises(PlanError, match="has no MIOpen profile explicit-gemm"):
        variables_plan(ask(stack=stack, environment_miopen_profile="explicit-gemm"))


def test_forbidden_variables_are_taken_out_of_files(ask: Ask) -> None:
    def variable(place: str, line: int | None) -> Variable:
        return Variable("MIOPEN_FIND_ENFORCE", "3", place, line)

    found = [variable("/etc/environment", 1), variable("/etc/environment", 2)]
    # What a running process has cannot be changed from outside.
    found += [variable("environment", None), Variable("HOME", "/", "/etc/environment", 3)]
    plan = variables_plan(ask(machine={"variables": found}, users=["ann"]))
    assert plan.forbidden == ["/etc/environment"]
    assert plan.fix == [
        "/opt/rdna1/rocm-5.7/bin/rdna1-preflight",
        *("fix", "--only-settings", "--yes", "--user", "ann"),
    ]
    assert variables_plan(ask()).fix[-1] == "--all-users"
    assert variables_plan(ask(machine={"variables": found}, scope="user")).forbidden == []


@pytest.mark.parametrize(
    ("databases", "asked", "expected"),
    [
        ([], ["ann"], False),
        ([MiopenDatabase(f"{HOME}/.config/miopen", 1, 0, 0)], ["ann"], True),
        (None, ["ann"], True),
        # They were not looked for.
        ([], [], True),
    ],
)
def test_databases_are_moved_where_there_may_be_some(
    databases: list[MiopenDatabase] | None, asked: list[str], expected: bool, ask: Ask
) -> None:
    users = [User(name, exists=True, groups=[]) for name in asked]
    machine = {"miopen_databases": databases, "users": users}
    assert variables_plan(ask(machine=machine, users=["ann"])).databases is expected
    assert variables_plan(ask(machine=machine)).databases is False


def test_a_measurement_holds_until_something_changes(ask: Ask) -> None:
    plan = measurement_plan(ask(validate_device="sim:/srv/rules.yml"))
    assert plan.program == "/opt/rdna1/rocm-5.7/bin/rdna1-validate"
    assert plan.reports == "/var/lib/rdna1/reports"
    assert plan.depends_on == [
        *("/var/lib/dpkg/status", "/etc/environment", "/etc/profile.d/rocm-rdna1-57.sh"),
        *("/opt/rdna1/rocm-5.7", "/srv/rules.yml"),
    ]


def test_a_measurement_of_a_home(ask: Ask) -> None:
    earlier = [Envelope("/etc/rdna1/envelope.json", "x")]
    own = Envelope(f"{HOME}/.config/rdna1/envelope.json", "{}")
    plan = measurement_plan(ask(scope="user", machine={"envelopes": [*earlier, own]}))
    assert (plan.envelope, plan.earlier_envelope) == (own.path, "{}")
    assert (plan.owner, plan.profile) == (1000, f"{HOME}/.config/rdna1/profile.sh")
    assert measurement_plan(ask(machine={"envelopes": None})).earlier_envelope == ""


def test_records_of_runs() -> None:
    system, home = state_plan("system"), state_plan("user")
    assert (system.snapshots, system.home) == ("/var/lib/rdna1/snapshots", "")
    assert (home.snapshots, home.home) == ("~/.local/state/rdna1/snapshots", "~")
