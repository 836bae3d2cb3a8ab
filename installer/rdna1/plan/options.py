"""What a plan is made from: a machine's facts, a stack, and what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from rdna1.catalog.stacks import (
    DEFAULT_STACK,
    Purpose,
    PytorchSource,
    RocmSource,
    Stack,
    load_stack,
)
from rdna1.errors import InputError
from rdna1.layout import Layout, of_scope
from rdna1.preflight.facts import Facts, OperatingSystem
from rdna1.preflight.model import Scope

_EMPTY = Literal[""]


class PlanError(InputError):
    """What was asked for cannot be done on this machine; the message names the remedy."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was asked for, by the variables of the roles; an empty text is the stack's choice.

    Attributes:
        stack: its name.
        scope: ``system``, or ``user`` for one home, without root.
        users: who shall be able to use the card.
        rocm_source: where ROCm's packages come from.
        rocm_replace: whether those of other sources are removed.
        rocm_packages: what the packages are for; empty for tools and runtime.
        rocm_more_packages: further packages for the same transaction.
        rocm_dkms: whether AMD's own kernel driver is built.
        rocm_amd_url: root of a mirror of AMD's repository.
        rocm_amd_key_file: file on the controller with AMD's key.
        rocm_amd_key_fingerprint: of the key that a mirror signs with.
        pytorch_source: where PyTorch comes from.
        pytorch_channel: other wheels of the stack.
        pytorch_gfx_target: of the wheels; empty for that of the machine's card.
        pytorch_index_url: another index for the stack's wheels.
        pytorch_project_index_url: another index for what this project imports.
        pytorch_allow_http: whether indexes may be at http addresses.
        environment_variables: of the owner's, in addition to the stack's or in place of them.
        environment_miopen_profile: which algorithms MIOpen may use.
        environment_guard: whether every program keeps its convolutions inside the envelope.
        validate_device: that is measured.
    """

    stack: str = DEFAULT_STACK
    scope: Scope = "system"
    users: list[str] = []
    rocm_source: RocmSource | _EMPTY = ""
    rocm_replace: bool = False
    rocm_packages: list[Purpose] = []
    rocm_more_packages: list[str] = []
    rocm_dkms: bool = False
    rocm_amd_url: str = ""
    rocm_amd_key_file: str = ""
    rocm_amd_key_fingerprint: str = ""
    pytorch_source: PytorchSource | _EMPTY = ""
    pytorch_channel: str = ""
    pytorch_gfx_target: str = ""
    pytorch_index_url: str = ""
    pytorch_project_index_url: str = ""
    pytorch_allow_http: bool = False
    environment_variables: dict[str, Any] = {}
    environment_miopen_profile: str = "default"
    environment_guard: bool = False
    validate_device: str = "auto"


class Part(msgspec.Struct, frozen=True):
    """A part of a plan."""

    @property
    def summary(self) -> str:
        """What users are told of it; empty for nothing."""
        return ""


def packages_text(packages: Sequence[str], missing: Sequence[str]) -> str:
    """Return how many packages there are, and how many of them have to be installed."""
    todo = f"{len(missing)} to install" if missing else "all installed"
    return f"{len(packages)} {'package' if len(packages) == 1 else 'packages'}, {todo}"


class User(NamedTuple):
    """Who owns what is written; of a home its owner."""

    home: str
    uid: int | str
    gid: int | str


ROOT = User("", "root", "root")


class Request(NamedTuple):
    """What the parts of a plan are made from.

    Attributes:
        options: what was asked for.
        facts: of the machine.
        user: who owns what is written.
    """

    options: Options
    facts: Facts
    user: User = ROOT

    @property
    def stack(self) -> Stack:
        """The stack."""
        return load_stack(self.options.stack)

    @property
    def layout(self) -> Layout:
        """Where things are."""
        return of_scope(self.options.scope, self.user.home)

    @property
    def prefix(self) -> str:
        """The link to the environment of the stack."""
        return f"{self.layout.environments}/{self.options.stack}"

    @property
    def profile(self) -> str:
        """File with the stack's variables for shells."""
        is_system = self.options.scope == "system"
        return self.stack.environment.profile if is_system else self.layout.profile

    @property
    def activate(self) -> str:
        """Script that sets the variables and enters the environment."""
        return f"{self.layout.settings}/{self.options.stack}/activate.sh"

    @property
    def release(self) -> OperatingSystem:
        """The release of the machine.

        Raises:
            PlanError: it is not known.
        """
        if self.facts.os is None:
            raise PlanError(
                "what system this machine runs is not known: its os-release cannot be read. "
                "Remedy: make /etc/os-release readable, then run again"
            )
        return self.facts.os

    @property
    def installed(self) -> set[str]:
        """Packages that are installed and configured."""
        apt = self.facts.apt
        return set(apt.packages or {}) - set(apt.half_configured or [])
