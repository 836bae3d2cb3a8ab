"""AMD's package repository (``amd.yml`` names the sources), and the distributions'."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from rdna1.yaml_data import load

RocmVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\.[0-9]+$")]


class RecommendedPin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pin AMD asks for.

    Attributes:
        file: where AMD puts it.
        release: what follows ``Pin: release``.
        priority: above the 500 that any archive has.
    """

    file: str
    release: str
    priority: Annotated[int, msgspec.Meta(gt=500)]

    @property
    def text(self) -> str:
        """The pin as apt's preferences have it."""
        return f"Package: *\nPin: release {self.release}\nPin-Priority: {self.priority}"


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
        new_hosts: that serve the layout since ROCm 10.
        component: of every suite.
        architecture: of all packages.
        sources_file: where this project puts the source.
        driver_sources_file: where it puts that of the kernel driver.
        key_url: of the key, in ASCII armour.
        fingerprint: of the primary key that signs it; the file behind ``key_url`` changes
            whenever the key is prolonged.
        keyring: where AMD puts the key.
        pin: that AMD asks for.
        suites: by release of ROCm.
        first_rocm: suite to the first ROCm that has it.
    """

    host: str
    url: Annotated[str, msgspec.Meta(pattern="^https://")]
    rocm_folder: str
    new_hosts: list[str]
    component: str
    architecture: str
    sources_file: str
    driver_sources_file: str
    key_url: Annotated[str, msgspec.Meta(pattern="^https://")]
    fingerprint: Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{40}$")]
    keyring: str
    pin: RecommendedPin
    suites: list[Suites]
    first_rocm: dict[str, RocmVersion]

    def suites_of(self, rocm: str) -> Suites | None:
        """Suites of a version of ROCm such as ``5.7.1``, or None where they are not known."""
        release = ".".join(rocm.split(".")[:2])
        return next((suites for suites in self.suites if suites.rocm == release), None)


class Distribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The archives of Debian and Ubuntu.

    Attributes:
        own_requirements: packages of what rdna1 itself imports.
    """

    own_requirements: list[str]


@cache
def distribution() -> Distribution:
    """Load ``distribution.yml``.

    Raises:
        rdna1.yaml_data.DataFileError: the file is damaged.
    """
    return load(Path(__file__).with_name("distribution.yml"), Distribution)


@cache
def amd_repository() -> AmdRepository:
    """Load ``amd.yml``.

    Raises:
        rdna1.yaml_data.DataFileError: the file is damaged.
    """
    return load(Path(__file__).with_name("amd.yml"), AmdRepository)
