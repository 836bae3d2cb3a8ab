"""AMD's package repository (``amd_repository.yml`` names the sources), and the distributions'."""

from __future__ import annotations

from functools import cache
from typing import Annotated

import msgspec

from rdna1.catalog.yaml_data import DATA, load

# A glob, but none that stands for everything.
PackagePattern = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{3}[a-z0-9*.+-]*$")]
RocmVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\.[0-9]+$")]


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pin of AMD's archive: AMD asks for one of all packages, this one names AMD's.

    Attributes:
        file: where AMD puts it.
        release: what follows ``Pin: release``.
        priority: of AMD's own packages, above the 500 that any archive has.
        others: of all else in AMD's archive, below the 100 of what is installed.
        packages: names and globs of AMD's own.
    """

    file: str
    release: str
    priority: Annotated[int, msgspec.Meta(gt=500)]
    others: Annotated[int, msgspec.Meta(gt=0, lt=100)]
    packages: Annotated[list[PackagePattern], msgspec.Meta(min_length=1)]

    @property
    def text(self) -> str:
        """The pin of AMD's own packages as apt's preferences have it."""
        return self._paragraph(" ".join(self.packages), f"release {self.release}", self.priority)

    def preferences(self, host: str) -> str:
        """Return the content of the file.

        By the origin that AMD's own documents name, and by the host: no Release file of AMD's was
        seen.

        Args:
            host: that serves the archive.
        """
        own = " ".join(self.packages)
        pins = [f"release {self.release}", f'origin "{host}"']
        paragraphs = [
            self._paragraph(packages, pin, priority)
            for packages, priority in ((own, self.priority), ("*", self.others))
            for pin in pins
        ]
        return "# Written by rdna1.\n" + "\n\n".join(paragraphs) + "\n"

    @staticmethod
    def _paragraph(packages: str, pin: str, priority: int) -> str:
        return f"Package: {packages}\nPin: {pin}\nPin-Priority: {priority}"


class Suites(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Suites of one release of ROCm: those AMD documents, and others seen in use."""

    rocm: RocmVersion
    documented: Annotated[list[str], msgspec.Meta(min_length=1)]
    seen: list[str] = []


class AmdRepository(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AMD's package repository.

    Attributes:
        host: that serves it.
        url: root of all its folders; a mirror has the same below a root of its own.
        rocm_folder: below the root, with a folder for each version of ROCm.
        new_key_url: of the key of the layout since ROCm 10.
        new_keyring: where AMD's guide puts that key.
        domains: that every server of AMD's is below.
        component: of every suite.
        architecture: of all packages.
        sources_file: where this project puts the source.
        driver_sources_file: where it puts that of the kernel driver.
        key_url: of the key, in ASCII armour.
        fingerprint: of the primary key that signs it; the file behind ``key_url`` changes
            whenever the expiry of the key is extended.
        keyring: where AMD puts the key.
        pin: of its packages.
        suites: by release of ROCm.
        first_rocm: suite to the first ROCm that has it.
    """

    host: str
    url: Annotated[str, msgspec.Meta(pattern="^https://")]
    rocm_folder: str
    new_key_url: str
    new_keyring: str
    domains: list[str]
    component: str
    architecture: str
    sources_file: str
    driver_sources_file: str
    key_url: Annotated[str, msgspec.Meta(pattern="^https://")]
    fingerprint: Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{40}$")]
    keyring: str
    pin: Pin
    suites: list[Suites]
    first_rocm: dict[str, RocmVersion]

    def suites_of(self, rocm: str) -> Suites | None:
        """Give suites of a version of ROCm such as ``5.7.1``, or None where they are not known."""
        release = ".".join(rocm.split(".")[:2])
        return next((suites for suites in self.suites if suites.rocm == release), None)


class PytorchRelease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release whose archive has a PyTorch, and all that rdna1 imports.

    Attributes:
        os: ``ID`` of os-release.
        version: ``VERSION_ID`` of os-release.
        torch: version of its python3-torch, a build for the CPU.
    """

    os: str
    version: str
    torch: str


class Distribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The archives of Debian and Ubuntu.

    Attributes:
        own_requirements: packages of what rdna1 itself imports.
        pytorch_releases: those where an environment can have the distribution's PyTorch.
    """

    own_requirements: list[str]
    pytorch_releases: list[PytorchRelease]

    def has_pytorch(self, os: str, version: str | None) -> bool:
        """Return whether an environment can have the PyTorch of this release's archive."""
        return any((each.os, each.version) == (os, version) for each in self.pytorch_releases)


@cache
def distribution() -> Distribution:
    """Load ``distribution.yml``.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: the file is damaged.
    """
    return load(DATA / "distribution.yml", Distribution)


@cache
def amd_repository() -> AmdRepository:
    """Load ``amd.yml``.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: the file is damaged.
    """
    return load(DATA / "amd_repository.yml", AmdRepository)
