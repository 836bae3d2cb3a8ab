"""Variables of a stack on a machine: the files that set them, and what goes for them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from rdna1.catalog.cards import card_list
from rdna1.catalog.stacks import MiopenProfile, Stack
from rdna1.layout import COMMANDS, HOME_SESSION_START, PROFILES
from rdna1.plan.options import Options, Part, PlanError, Request
from rdna1.plan.profile_files import settings_file

FORBIDDEN = "MIOPEN_FIND_ENFORCE"
TEMPLATES = Path(__file__).parents[3] / "roles" / "environment" / "templates"
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
# systemd drops a variable with one of these.
_CONTROL = re.compile(r"[\x01-\x08\x0b-\x1f\x7f]")
_DEFAULT = "default"
# What rdna1.guard.startup reads.
_GUARD = {"RDNA1_GUARD": "1"}
# What decides which algorithms MIOpen remembers.
_FILTER = "MIOPEN_DEBUG_"
_PCI_DEVICES = "/sys/bus/pci/devices"


class ProfileFile(msgspec.Struct, frozen=True):
    """A file, its content, and whether a copy is kept of one that was there before."""

    path: str
    content: str
    backup: bool


class VariablesPlan(Part, frozen=True):
    """What is written for shells, scripts and services.

    Attributes:
        folders: that are this project's.
        files: with the variables, and with the name of the stack.
        links: to the commands, each to what it names.
        stale: pattern of files of which one is in use at a time.
        owner: of all of it.
        group: of all of it.
        stack_file: that says what an earlier run chose.
        filters: variables that decide which algorithms MIOpen remembers.
        databases: whether users may have databases of MIOpen's, which remember them.
        forbidden: places that set the variable that no place may set.
        fix: command that takes it out of them; empty without root.
    """

    folders: list[str]
    files: list[ProfileFile]
    links: dict[str, str]
    stale: str
    owner: int | str
    group: int | str
    stack_file: str
    filters: dict[str, str]
    databases: bool
    forbidden: list[str]
    fix: list[str]


def variables_plan(request: Request) -> VariablesPlan:
    """Return what is written for shells, scripts and services.

    Raises:
        PlanError: a variable that no profile may set, or a profile that the stack does not have.
    """
    options, layout, stack = request.options, request.layout, request.stack
    is_system = options.scope == "system"
    _refuse_variables(options.environment_variables, is_system=is_system)
    variables = _variables(stack, options)
    filters = {name: value for name, value in variables.items() if name.startswith(_FILTER)}
    forbidden = [
        each.place for each in request.facts.variables if each.name == FORBIDDEN and each.line
    ]
    users = ["--user", *options.users] if options.users else ["--all-users"]
    commands = f"{request.prefix}/bin"
    home = request.user.home
    return VariablesPlan(
        folders=[layout.settings, f"{layout.settings}/{stack.name}"],
        files=[*_files(request, variables), _stack_file(request, filters)],
        links={f"{layout.commands}/{name}": f"{commands}/{name}" for name in COMMANDS},
        stale=PROFILES if is_system else f"{home}/{HOME_SESSION_START}*.conf",
        owner=request.user.uid,
        group=request.user.gid,
        stack_file=layout.stack_file,
        filters=filters,
        databases=_may_have_databases(request),
        forbidden=list(dict.fromkeys(forbidden)) if is_system else [],
        fix=[f"{commands}/rdna1-preflight", "fix", "--only-settings", "--yes", *users],
    )


def _refuse_variables(own: Mapping[str, Any], *, is_system: bool) -> None:
    values = [str(value) for value in own.values()]
    if (
        FORBIDDEN in own
        or not all(_NAME.fullmatch(str(name)) for name in own)
        or any(_CONTROL.search(value) for value in values)
        # environment.d(5) puts values of variables in its place.
        or (not is_system and any("$" in value for value in values))
    ):
        raise PlanError(
            f"environment_variables must not hold {FORBIDDEN} (it makes a convolution take half "
            "an hour), its keys must be names of shell variables, and its values have no control "
            "characters (without root no dollar sign either). Remedy: correct it in the inventory."
        )


def _variables(stack: Stack, options: Options) -> dict[str, str]:
    """Return the stack's variables, the guard's and the owner's, each in place of those before."""
    chosen = {**_profile(stack, options), **(_GUARD if options.environment_guard else {})}
    for name, value in options.environment_variables.items():
        # An empty one leaves a variable out.
        chosen[name] = "" if value is None or value is False else str(value)
    return {name: value for name, value in chosen.items() if value}


def _profile(stack: Stack, options: Options) -> dict[str, str]:
    """Return the stack's variables with the algorithms that were chosen for MIOpen."""
    profiles: dict[str, MiopenProfile] = {str(n): p for n, p in stack.miopen_profiles.items()}
    name, variables = options.environment_miopen_profile, stack.environment.variables
    if name == _DEFAULT:
        return variables
    if name not in profiles:
        raise PlanError(
            f"The stack {stack.name} has no MIOpen profile {name}: nothing is known of it there. "
            "Remedy: leave environment_miopen_profile at default, or choose one of "
            f"{', '.join(profiles) or 'another stack'}."
        )
    of_profiles = {each for profile in profiles.values() for each in profile.variables}
    others = {each: value for each, value in variables.items() if each not in of_profiles}
    return {**others, **profiles[name].variables}


def _files(request: Request, variables: Mapping[str, str]) -> list[ProfileFile]:
    options, stack, layout = request.options, request.stack, request.layout
    is_system = options.scope == "system"
    own, cards = options.environment_variables, card_list()
    values = {
        "stack": stack.name,
        "variables": variables,
        # The owner's own values win.
        "caches": {n: f for n, f in stack.environment.caches.items() if n not in own},
        "unset": {n: why for n, why in stack.environment.unset.items() if n not in own},
        "cache_folder": "" if is_system else layout.cache,
        "prefix": request.prefix,
        "pci_devices": _PCI_DEVICES,
        # As sysfs writes them, for the template's case statement.
        "pci_ids": [
            f"0x{cards.vendor}:0x{device}"
            for device in sorted(device for chip in cards.chips for device in chip.boards)
        ],
    }
    templates = {
        request.profile: "profile.sh.j2",
        request.activate: "activate.sh.j2",
        f"{layout.settings}/{stack.name}.env": "environment.env.j2",
    }
    files = [
        ProfileFile(path, settings_file(TEMPLATES / template, values), backup=True)
        for path, template in templates.items()
    ]
    if is_system:
        return files
    session = f"{request.user.home}/{HOME_SESSION_START}{stack.name}.conf"
    return [*files, ProfileFile(session, files[-1].content, backup=False)]


def _stack_file(request: Request, filters: Mapping[str, str]) -> ProfileFile:
    content = {
        "schema_version": 1,
        "stack": request.stack.name,
        "rocm_version": request.stack.rocm_version,
        "environment": request.prefix,
        "miopen_profile": request.options.environment_miopen_profile,
        "miopen_filters": dict(filters),
    }
    text = f"{json.dumps(content, indent=2, sort_keys=True)}\n"
    return ProfileFile(request.layout.stack_file, text, backup=False)


def _may_have_databases(request: Request) -> bool:
    """Return whether users have databases, also where they could not be looked for, or were not."""
    users, facts = request.options.users, request.facts
    asked = {user.name for user in facts.users or []}
    return bool(users) and (facts.miopen_databases != [] or not asked.issuperset(users))
