"""PyTorch of a stack: its wheels, what they load on, and what has to be built."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from rdna1.catalog.yaml_data import ReleaseVersion, Text, VariableName

PytorchSource = Literal["index", "distro"]


class ExecutableStack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Libraries of the wheels that want an executable stack and do not need one.

    Attributes:
        refused_from: the first glibc that does not load them.
        libraries: their names, with ``*`` for any characters.
    """

    refused_from: Text
    libraries: Annotated[list[Text], msgspec.Meta(min_length=1)]


class GlibcRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """glibc versions the wheels load on.

    Attributes:
        minimum: the oldest.
        execstack: what has to be cleared on newer ones; None for nothing.
    """

    minimum: Text
    execstack: ExecutableStack | None = None

    def to_clear(self, glibc: str | None) -> list[str]:
        """Return names of the libraries to clear on a machine; an unknown glibc may refuse them."""
        if self.execstack is None:
            return []
        try:
            loads = glibc is not None and Version(glibc) < Version(self.execstack.refused_from)
        except InvalidVersion:
            loads = False
        return [] if loads else self.execstack.libraries


class PythonNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What users of some Python versions (PEP 440 specifier) have to know about the wheels."""

    python: Text
    text: Text


class SourceDistribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package that the stack's index has as a source distribution alone.

    In all texts ``{gfx_target}`` stands for the card's.

    Attributes:
        name: of the distribution.
        requires: PEP 508 requirements of what is built; said here, none of its code is run to
            lock it. ``=={version}`` stands for its own version.
        extras: that these requirements have markers for.
        build_requires: PEP 508 requirements of its build.
        environment: variables of its build.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
    requires: list[Text] = []
    extras: list[Text] = []
    build_requires: list[Text] = []
    environment: dict[VariableName, str] = {}


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another choice of a stack's wheels: the attributes are those of `Pytorch`."""

    index_url: Annotated[str, msgspec.Meta(pattern="^https://")]
    requirements: Annotated[list[Text], msgspec.Meta(min_length=1)]


class Pytorch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PyTorch of a stack.

    Attributes:
        source: where it comes from unless the user chooses.
        index_url: the one index that serves the wheels.
        python: Python versions the wheels exist for (PEP 440 specifier).
        managed_python: the version that uv installs where the system has none of them.
        requirements: PEP 508 requirements of the wheel set; ``{gfx_target}`` stands for the
            card's where there are wheels for each, ``{rocm_version}`` for the stack's.
        distro_packages: the distribution's own CPU build, for machines without a card.
        notes: what does not work on some Python versions.
        sources: what has to be built, as the index has no wheels of it.
        channels: other wheels of the stack, by name.
    """

    source: PytorchSource
    index_url: Annotated[str, msgspec.Meta(pattern="^https://")]
    python: Text
    managed_python: ReleaseVersion
    requirements: Annotated[list[Text], msgspec.Meta(min_length=1)]
    distro_packages: list[Text]
    notes: list[PythonNote] = []
    sources: list[SourceDistribution] = []
    channels: dict[Text, Channel] = {}

    def notes_on(self, python: str) -> list[str]:
        """Return what users of this Python version have to know."""
        return [note.text for note in self.notes if SpecifierSet(note.python).contains(python)]

    @property
    def depends_on_gfx_target(self) -> bool:
        """Whether there are wheels for each gfx target."""
        return any("{gfx_target}" in requirement for requirement in self.requirements)
