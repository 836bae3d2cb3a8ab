"""Stacks: which ROCm and PyTorch go together, and on which releases.

Every stack is one YAML file in data/stacks. Ansible roles read the same files with
``include_vars``; nothing about a version is written anywhere else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from rdna1.catalog.pytorch import (
    GlibcRange,
    Pytorch,
    SourceDistribution,
)
from rdna1.catalog.pytorch import PytorchSource as PytorchSource
from rdna1.catalog.repositories import distribution
from rdna1.catalog.yaml_data import DATA, DataFileError, ReleaseVersion, Text, VariableName, load
from rdna1.errors import InputError

DEFAULT_STACK = "rocm-5.7"

Support = Literal["supported", "community", "refused"]
RocmSource = Literal["amd", "distro", "none"]
Purpose = Literal["tools", "runtime", "sdk", "libraries"]
MiopenProfileName = Literal["explicit-gemm", "implicit-gemm"]
KernelVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,3}\.[0-9]{1,3}$")]
# What is installed unless the user chooses, where the stack has it.
DEFAULT_PURPOSES: tuple[Purpose, ...] = ("tools", "runtime")
FolderName = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]*$")]


class UnknownStackError(InputError):
    """No stack of this name; the message lists the known ones and suggests the nearest."""


class UnknownChannelError(InputError):
    """A stack has no channel of this name; the message lists those that it has."""


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
    version: ReleaseVersion
    support: Support
    rocm_source: RocmSource
    reasons: list[Text] = []
    remedy: str = ""

    def __post_init__(self) -> None:
        """A refusal without a reason and a way out helps nobody."""
        if self.support == "refused" and not (self.reasons and self.remedy):
            raise ValueError("a refused release needs reasons and a remedy")

    @property
    def name(self) -> str:
        """Name of the release for users."""
        return release_name(self.os, self.version)


class PackageSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Packages of a ROCm source on one release.

    Attributes:
        os: ``ID`` of os-release.
        version: ``VERSION_ID`` of os-release.
        packages: by purpose; one that is not there cannot be installed on this release.
        suite: of AMD's repository, empty for the distribution's own.
        lacks: why packages that one may expect are not among them.
    """

    os: Text
    version: Text
    packages: Annotated[dict[Purpose, list[Text]], msgspec.Meta(min_length=1)]
    suite: str = ""
    lacks: str = ""

    def names(self, purposes: Sequence[Purpose] = DEFAULT_PURPOSES) -> list[str]:
        """Return packages for some purposes; nothing for those that the release does not have."""
        return [name for purpose in purposes for name in self.packages.get(purpose, [])]


class Driver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AMD's own kernel driver on one release, for those who ask for it.

    Attributes:
        os: ``ID`` of os-release.
        version: ``VERSION_ID`` of os-release.
        repository: folder below the root of AMD's repository.
        suite: of that repository.
        packages: that build it with DKMS.
        oldest_kernel: the oldest that AMD validated it with.
        newest_kernel: the newest that AMD validated it with.
    """

    os: Text
    version: ReleaseVersion
    repository: Text
    suite: Text
    packages: Annotated[list[Text], msgspec.Meta(min_length=1)]
    oldest_kernel: KernelVersion
    newest_kernel: KernelVersion


class Dependency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What packages of AMD depend on, and not every release has.

    Attributes:
        of: the packages of AMD.
        any_of: one of these packages is enough.
    """

    of: Annotated[list[Text], msgspec.Meta(min_length=1)]
    any_of: Annotated[list[Text], msgspec.Meta(min_length=1)]


class KernelRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Kernels (``major.minor``) that users saw the stack work with.

    Attributes:
        oldest_seen: the oldest of them.
        newest_seen: the newest of them.
        freezes_from: from this one on freezes are reported; None when there is no report.
    """

    oldest_seen: KernelVersion
    newest_seen: KernelVersion
    freezes_from: KernelVersion | None = None


class DiskNeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Free space in GiB: under the environment's folder and on the root file system."""

    environment: Annotated[int, msgspec.Meta(gt=0)]
    system: Annotated[int, msgspec.Meta(gt=0)]


class MiopenProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A choice of algorithms that MIOpen may use.

    Attributes:
        effect: what is known of it, for users.
        variables: the switches, of which only ``0`` acts, and what MIOpen needs with them.
    """

    effect: Text
    variables: Annotated[dict[VariableName, str], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Refuse switches that do nothing."""
        for name, value in self.variables.items():
            if name.startswith("MIOPEN_DEBUG_CONV_") and value != "0":
                raise ValueError(f"{name}={value}: of these switches only 0 acts")


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Profile script of a stack and the variables it sets.

    Attributes:
        profile: its path.
        variables: that it sets.
        caches: variables that name a folder of the user's cache for this stack alone, to its name.
        unset: variables that must not be set with this stack, to the reason.
    """

    profile: Annotated[str, msgspec.Meta(pattern=r"^/etc/profile\.d/[a-z0-9-]+\.sh$")]
    variables: dict[VariableName, str]
    caches: dict[VariableName, FolderName] = {}
    unset: dict[VariableName, Text] = {}

    def __post_init__(self) -> None:
        """MIOPEN_FIND_ENFORCE cost its finder 33 minutes a convolution."""
        if "MIOPEN_FIND_ENFORCE" in self.variables:
            raise ValueError("MIOPEN_FIND_ENFORCE must never be set")


class ExpandableSegments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What expandable_segments of PyTorch's allocator needs of the kernel driver.

    Attributes:
        works_with: the oldest version of the driver's interface (DRM) that it was seen to work
            with.
        not_before_kernel: no older kernel has that version.
    """

    works_with: KernelVersion
    not_before_kernel: KernelVersion


class Experience(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What others saw with a stack on RDNA1 cards, with who saw it, and what nobody knows."""

    known: Annotated[list[Text], msgspec.Meta(min_length=1)]
    unknown: Annotated[list[Text], msgspec.Meta(min_length=1)]


class KnownLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Largest convolution that somebody saw work with a stack; larger ones hung.

    Attributes:
        max_side: largest height and width of its map in pixels.
        max_workspace_bytes: its im2col workspace in bytes. Which of the two decides is not
            known, so both are to be kept.
        reference: who saw it.
    """

    max_side: Annotated[int, msgspec.Meta(gt=0)]
    max_workspace_bytes: Annotated[int, msgspec.Meta(gt=0)]
    reference: Text


class Stack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stack; the attributes are the keys of its file.

    ``kernel`` is None where no report names a kernel.
    """

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
    amd_dependencies: list[Dependency] = []
    known_limit: KnownLimit | None = None
    miopen_profiles: dict[MiopenProfileName, MiopenProfile] = {}
    kernel: KernelRange | None = None
    dkms: list[Driver] = []
    expandable_segments: ExpandableSegments | None = None
    experience: Experience | None = None

    def __post_init__(self) -> None:
        """AMD's repository has suites, the distribution's archive brings its own."""
        for source, sets in self.rocm_sources.items():
            if any(bool(packages.suite) != (source == "amd") for packages in sets):
                raise ValueError("rocm_sources: a suite is for packages of AMD, and they need one")

    def packages(self, source: RocmSource, os: str, version: str) -> PackageSet | None:
        """Return the packages of a source on a release, or None where it has none there."""
        sets = self.rocm_sources.get(source, [])
        return next((each for each in sets if (each.os, each.version) == (os, version)), None)

    def of_channel(self, name: str) -> Stack:
        """Return the stack with the wheels of a channel; an empty name is that of its own.

        Raises:
            UnknownChannelError: it has no such channel.
        """
        if not name:
            return self
        channel = self.pytorch.channels.get(name)
        if channel is None:
            known = ", ".join(self.pytorch.channels) or "none"
            raise UnknownChannelError(
                f"the stack {self.name} has no channel {name!r}. Remedy: leave pytorch_channel "
                f"empty, or take one of its channels: {known}"
            )
        pytorch = msgspec.structs.replace(
            self.pytorch, index_url=channel.index_url, requirements=channel.requirements
        )
        return msgspec.structs.replace(self, pytorch=pytorch)

    def wheels(self, gfx_target: str) -> list[str]:
        """Return the requirements of PyTorch for a card."""
        return self._for(gfx_target, self.pytorch.requirements)

    def sources(self, gfx_target: str) -> list[SourceDistribution]:
        """Return what has to be built for a card."""
        return [
            msgspec.structs.replace(
                source,
                requires=self._for(gfx_target, source.requires),
                extras=self._for(gfx_target, source.extras),
                environment={
                    name: self._for(gfx_target, [value])[0]
                    for name, value in source.environment.items()
                },
            )
            for source in self.pytorch.sources
        ]

    def _for(self, gfx_target: str, texts: Iterable[str]) -> list[str]:
        values = {"{gfx_target}": gfx_target, "{rocm_version}": self.rocm_version}
        pattern = re.compile("|".join(map(re.escape, values)))
        return [pattern.sub(lambda match: values[match[0]], text) for text in texts]

    def release(self, os: str, version: str) -> Release | None:
        """Return the entry for a release, or None when the stack says nothing about it."""
        return next((r for r in self.releases if (r.os, r.version) == (os, version)), None)

    def algorithms(self, profile: str) -> str:
        """Return what MIOpen may use, for users.

        Args:
            profile: name of one of the ``miopen_profiles``; another stands for the one that the
                environment's variables make.
        """
        variables = self.environment.variables.items()
        named = [p for name, p in self.miopen_profiles.items() if name == profile]
        usual = [p for p in self.miopen_profiles.values() if p.variables.items() <= variables]
        return next((p.effect for p in named + usual), "all that MIOpen has")

    @property
    def is_native(self) -> bool:
        """Whether its code is made for the cards, and needs no override."""
        return "HSA_OVERRIDE_GFX_VERSION" not in self.environment.variables

    @property
    def rocm_packages(self) -> set[str]:
        """Names of ROCm's packages from any source, on any release, for any purpose."""
        sets = [packages for source in self.rocm_sources.values() for packages in source]
        return {name for each in sets for names in each.packages.values() for name in names}

    @property
    def offered_releases(self) -> str:
        """The releases that are not refused, for users."""
        notes = {"supported": "", "community": " (community)"}
        offered = [release for release in self.releases if release.support in notes]
        return " or ".join(f"{release.name}{notes[release.support]}" for release in offered)


def release_name(os: str, version: str) -> str:
    """Return the name for users of the release with this ``ID`` and ``VERSION_ID``."""
    return f"{os.capitalize()} {version}"


def stack_folder() -> Path:
    """Return folder of the stack files."""
    return DATA / "stacks"


def stack_names() -> list[str]:
    """Return names of all stacks, the default first."""
    names = {path.stem for path in stack_folder().glob("*.yml")}
    return sorted(names, key=lambda name: (name != DEFAULT_STACK, name))


def requested_packages() -> list[str]:
    """Return names of all packages that some stack installs with apt, or whose absence it names.

    Those that rdna1 imports are among them: the distribution's PyTorch comes with them.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: a stack file is damaged.
    """
    names: set[str] = set(distribution().own_requirements)
    for stack in map(load_stack, stack_names()):
        names.update(stack.pytorch.distro_packages)
        for sets in stack.rocm_sources.values():
            names.update(
                name for each in sets for named in each.packages.values() for name in named
            )
        for dependency in stack.amd_dependencies:
            names.update(dependency.any_of)
    return sorted(names)


def load_stack(name: str, folder: Path | None = None) -> Stack:
    """Load and check one stack.

    Args:
        name: as in ``stack_names``.
        folder: another folder of stack files.

    Raises:
        UnknownStackError: no such file.
        rdna1.catalog.yaml_data.DataFileError: the file is damaged, with file, line and key.
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
