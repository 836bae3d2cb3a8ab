"""Wheels for a machine: for which Python and card, from which index, in which lock file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from rdna1.catalog.cards import card_list
from rdna1.catalog.stacks import Stack
from rdna1.plan.options import PlanError, Request
from rdna1.wheels import ChoiceError, Wanted, choose_gfx_target, choose_python

_PLATFORM = "x86_64-linux"


class WheelsPlan(NamedTuple):
    """Which wheels a machine gets.

    Attributes:
        wanted: what the lock file is to hold.
        lock_name: of the lock file, the same for all machines that share it.
        python_path: of the system's Python; empty for one that uv manages.
        index_url: the stack's own.
        execstack: names of libraries whose flag for an executable stack is cleared.
    """

    wanted: Wanted
    lock_name: str
    python_path: str
    index_url: str
    execstack: list[str]


def wheels_plan(request: Request, project: Path) -> WheelsPlan:
    """Return which wheels a machine gets.

    Args:
        request: to the plan.
        project: folder of this project, whose own requirements are in the lock as well.

    Raises:
        PlanError: the machine's card decides, and there is none or more than one.
        rdna1.catalog.stacks.UnknownChannelError: the stack has no such channel.
    """
    options, facts = request.options, request.facts
    stack = request.stack.of_channel(options.pytorch_channel)
    python = choose_python(msgspec.to_builtins(facts.pythons or []), stack.pytorch)
    gfx_target = _gfx_target(request, stack)
    wanted = Wanted(
        stack.wheels(gfx_target),
        _own_requirements(project, stack),
        python.version,
        options.pytorch_index_url or stack.pytorch.index_url,
        options.pytorch_project_index_url,
        stack.sources(gfx_target),
        options.pytorch_allow_http,
    )
    kind = [stack.name, options.pytorch_channel, python.version, _PLATFORM, gfx_target]
    return WheelsPlan(
        wanted,
        f"{'-'.join(filter(None, kind))}.txt",
        python.path,
        stack.pytorch.index_url,
        stack.glibc.to_clear(facts.glibc),
    )


def _gfx_target(request: Request, stack: Stack) -> str:
    """Return the gfx target that the stack's wheels depend on; empty where they depend on none."""
    if not stack.pytorch.depends_on_gfx_target:
        return ""
    displays = msgspec.to_builtins(request.facts.displays or [])
    try:
        target = request.options.pytorch_gfx_target or choose_gfx_target(displays, card_list())
    except ChoiceError as error:
        raise PlanError(str(error)) from error
    if target not in stack.gfx_targets:
        raise PlanError(
            f"the stack {stack.name} has no wheels for {target!r}. "
            f"Remedy: set pytorch_gfx_target to one of {', '.join(stack.gfx_targets)}"
        )
    return target


def _own_requirements(project: Path, stack: Stack) -> list[str]:
    """Return what this project itself imports, and runs on the stack's libraries."""
    # Planning takes Python 3.11, as ansible-core does; the package is imported by 3.10, too.
    import tomllib

    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    requirements: list[str] = described["dependencies"]
    # Whatever the glibc: one lock serves all hosts.
    tools: list[str] = described["optional-dependencies"]["execstack"]
    return requirements + (tools if stack.glibc.execstack else [])
