"""Environments that may suit a card better than the stack's (``candidates.yml``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Literal

import msgspec
from packaging.version import Version

from rdna1.catalog.stacks import MiopenProfileName, Stack
from rdna1.catalog.yaml_data import DATA, VariableName, load
from rdna1.conv.case import ConvCase, MemoryFormat
from rdna1.conv.result import DeviceInfo
from rdna1.worker.variables import BYPASS_VARIABLE, IMMEDIATE_VARIABLE

_IMMEDIATE_SINCE = Version("2.12")
_OVERRIDE = "HSA_OVERRIDE_GFX_VERSION"
_Line = Annotated[str, msgspec.Meta(min_length=1)]


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An environment to try, in the terms of the environment role.

    Attributes:
        name: for programs.
        title: for users.
        effect: what it changes.
        source: who says so.
        miopen_profile: the role's ``environment_miopen_profile``.
        variables: the role's ``environment_variables``.
        memory_format: order of the tensors' elements.
        immediate: whether torch uses MIOpen's immediate mode.
        bypass_miopen: whether torch computes convolutions without MIOpen.
        program: what programs must do themselves, empty if variables are enough.
    """

    name: _Line
    title: _Line
    effect: _Line
    source: _Line
    miopen_profile: MiopenProfileName | Literal["default"] = "default"
    variables: dict[VariableName, str] = {}
    memory_format: MemoryFormat = "contiguous"
    immediate: bool = False
    bypass_miopen: bool = False
    program: str = ""

    def applied(self, case: ConvCase) -> ConvCase:
        """Return a case in the candidate's memory format, which one dimension does not have."""
        if case.dims == 1:
            return case
        return msgspec.structs.replace(case, memory_format=self.memory_format)


@cache
def candidates() -> list[Candidate]:
    """Load ``candidates.yml``.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: the file is damaged.
    """
    return load(DATA / "candidates.yml", list[Candidate])


def environment_of(candidate: Candidate, stack: Stack) -> dict[str, str]:
    """Return variables of a machine on which the environment role applied a candidate.

    Args:
        candidate: whose profile the stack has.
        stack: of the machine.
    """
    switches = {name for profile in stack.miopen_profiles.values() for name in profile.variables}
    variables: dict[str, str] = dict(stack.environment.variables)
    if candidate.miopen_profile != "default":
        kept = {name: value for name, value in variables.items() if name not in switches}
        variables = {**kept, **stack.miopen_profiles[candidate.miopen_profile].variables}
    variables |= candidate.variables
    if candidate.bypass_miopen:
        variables[BYPASS_VARIABLE] = "1"
    if candidate.immediate:
        variables[IMMEDIATE_VARIABLE] = "1"
    return {name: value for name, value in sorted(variables.items()) if value}


def worker_variables(environment: Mapping[str, str], stack: Stack) -> dict[str, str | None]:
    """Return what to set in workers, and to take out of what they inherit, for an environment.

    Args:
        environment: as `environment_of` returns it.
        stack: of the machine.
    """
    names = {name for each in candidates() for name in each.variables}
    names |= set(stack.environment.variables) | {BYPASS_VARIABLE, IMMEDIATE_VARIABLE}
    names |= {name for profile in stack.miopen_profiles.values() for name in profile.variables}
    return {name: environment.get(name) for name in sorted(names | set(environment))}


def changes(environment: Mapping[str, str], usual: Mapping[str, str]) -> list[str]:
    """Return what an environment sets and lacks compared with the usual one, for users."""
    return [
        f"{name}={environment[name]}" if name in environment else f"without {name}"
        for name in sorted(environment.keys() | usual.keys())
        if environment.get(name) != usual.get(name)
    ]


def reason_against(
    candidate: Candidate, stack: Stack, device: DeviceInfo, tried: Sequence[Candidate]
) -> str:
    """Return why a candidate needs no trial, empty if it does.

    Args:
        candidate: which may be tried next.
        stack: of the machine.
        device: that the first candidate ran on.
        tried: earlier candidates.
    """
    profile = candidate.miopen_profile
    if profile != "default" and profile not in stack.miopen_profiles:
        return f"the stack {stack.name} has no MIOpen profile {profile}"
    acts = device.hip is not None or device.type == "sim"
    if (candidate.bypass_miopen or candidate.immediate) and device.type == "cpu":
        return "without effect on a CPU, where torch has no MIOpen"
    if candidate.immediate and Version(device.torch) < _IMMEDIATE_SINCE:
        return f"torch {device.torch} has no immediate mode of MIOpen, which came with 2.12"
    if candidate.immediate and not acts:
        return f"without effect on {device.type}, where torch has no MIOpen"
    has_other = candidate.bypass_miopen or candidate.memory_format != "contiguous"
    if not acts and not has_other and (candidate.variables or profile != "default"):
        return f"without effect on {device.type}: only ROCm reads these variables"
    if _OVERRIDE in candidate.variables and (native := _native(device, stack)):
        if candidate.variables[_OVERRIDE]:
            return f"this build of torch has code for {native}, which needs no override"
    elif _OVERRIDE in candidate.variables and not candidate.variables[_OVERRIDE] and device.hip:
        return "this build of torch has no code for the card"
    return _same_as(candidate, stack, tried)


def _native(device: DeviceInfo, stack: Stack) -> str:
    """Return a target of the stack that torch holds code for, empty if there is none."""
    return next((t for t in stack.gfx_targets if t in device.architectures), "")


def _same_as(candidate: Candidate, stack: Stack, tried: Sequence[Candidate]) -> str:
    environment = environment_of(candidate, stack)
    for other in tried:
        same = environment_of(other, stack) == environment
        if same and other.memory_format == candidate.memory_format:
            return f"the same as {other.name} with the stack {stack.name}"
    return ""
