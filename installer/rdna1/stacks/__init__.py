"""Stacks: which ROCm and PyTorch go together, and on which releases.

Every stack is one YAML file beside this module. Ansible roles read the same files with
``include_vars``; nothing about a version is written anywhere else.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from rdna1.yaml_data import DataFileError, load

DEFAULT_STACK = "rocm-5.7"

Support = Literal["supported", "community", "refused"]
RocmSource = Literal["distro", "none"]
PytorchSource = Literal["index", "distro"]
Text = Annotated[str, msgspec.Meta(min_length=1)]
VariableName = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Z0-9_]*$")]


class UnknownStackError(Exception):
    """No stack of this name; the message lists the known ones and suggests the nearest."""


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a stack stands to one release of an operating system.

    Attributes:
        os: ``ID`` of os-release.
        version: ``VERSION_ID`` of os-release.
        support: ``supported``, ``community`` (works, nobody promises it) or ``refused``.
        rocm_source: where ROCm's packages come from unless the user chooses.
        reasons: why the support is what it is.
        remedy: what to do instead.
    """

    os: Text
    version: Text
    support: Support
    rocm_source: RocmSource
    reasons: list[Text] = []
    remedy: str = ""

    def __post_init__(self) -> None:
        """A refusal without a reason and a way out helps nobody."""
        if self.support == "refused" and not (self.reasons and self.remedy):
            raise ValueError("a refused release needs reasons and a remedy")


class PackageSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Packages of a ROCm source on one release."""

    os: Text
    version: Text
    packages: Annotated[list[Text], msgspec.Meta(min_length=1)]


class GlibcRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """glibc versions the wheels load on: ``minimum`` included, ``below`` not."""

    minimum: Text
    below: Text | None = None


class DiskNeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Free space in GiB: under the environment's folder and on the root file system."""

    environment: Annotated[int, msgspec.Meta(gt=0)]
    system: Annotated[int, msgspec.Meta(gt=0)]


class Pytorch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PyTorch of a stack.

    Attributes:
        source: where it comes from unless the user chooses.
        index_url: the one index that serves the wheels.
        python: Python versions the wheels exist for (PEP 440 specifier).
        requirements: PEP 508 requirements of the wheel set.
        distro_packages: the distribution's own CPU build, for machines without a card.
    """

    source: PytorchSource
    index_url: Annotated[str, msgspec.Meta(pattern="^https://")]
    python: Text
    requirements: Annotated[list[Text], msgspec.Meta(min_length=1)]
    distro_packages: list[Text]


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Profile script of a stack and the variables it sets."""

    profile: Annotated[str, msgspec.Meta(pattern=r"^/etc/profile\.d/[a-z0-9-]+\.sh$")]
    variables: dict[VariableName, str]

    def __post_init__(self) -> None:
        """MIOPEN_FIND_ENFORCE cost its finder 33 minutes a convolution."""
        if "MIOPEN_FIND_ENFORCE" in self.variables:
            raise ValueError("MIOPEN_FIND_ENFORCE must never be set")


class Stack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stack; the attributes are the keys of its file."""

    name: Text
    title: Text
    rocm_version: Text
    gfx_targets: Annotated[list[Text], msgspec.Meta(min_length=1)]
    releases: Annotated[list[Release], msgspec.Meta(min_length=1)]
    rocm_sources: dict[RocmSource, list[PackageSet]]
    glibc: GlibcRange
    disk_gib: DiskNeed
    pytorch: Pytorch
    environment: Environment

    def release(self, os: str, version: str) -> Release | None:
        """The entry for a release, or None when the stack says nothing about it."""
        return next((r for r in self.releases if (r.os, r.version) == (os, version)), None)


def stack_folder() -> Path:
    """Folder of the stack files."""
    return Path(__file__).parent


def stack_names() -> list[str]:
    """Names of all stacks, the default first."""
    names = {path.stem for path in stack_folder().glob("*.yml")}
    return sorted(names, key=lambda name: (name != DEFAULT_STACK, name))


def load_stack(name: str, folder: Path | None = None) -> Stack:
    """Load and check one stack.

    Args:
        name: as in ``stack_names``.
        folder: another folder of stack files.

    Raises:
        UnknownStackError: no such file.
        rdna1.yaml_data.DataFileError: the file is damaged, with file, line and key.
    """
    if name not in stack_names() and folder is None:
        near = difflib.get_close_matches(name, stack_names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownStackError(
            f"unknown stack {name!r}: known are {', '.join(stack_names())}{hint}"
        )
    path = (folder or stack_folder()) / f"{name}.yml"
    stack = load(path, Stack)
    if stack.name != name:
        raise DataFileError(f"{path}:1: .name: {stack.name!r} does not match the file's name")
    return stack
