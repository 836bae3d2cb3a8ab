from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from rdna1.catalog.repositories import amd_repository
from rdna1.catalog.stacks import load_stack, requested_packages, stack_names
from support.apt_repository import ARCHIVES, fake_packages


@pytest.mark.parametrize(
    ("rocm", "documented"),
    [
        ("5.7", ["focal", "jammy"]),
        ("5.7.1", ["focal", "jammy"]),
        ("5.2.3", ["bionic", "focal"]),
        ("5.70", None),
        ("6.2", None),
        ("latest", None),
    ],
)
def test_suites_of_a_version(rocm: str, documented: list[str] | None) -> None:
    suites = amd_repository().suites_of(rocm)
    assert (suites and suites.documented) == documented


def test_the_pin_is_as_apt_reads_it() -> None:
    """It names AMD's packages: with all at 600 the archive could replace any."""
    named, *rest = amd_repository().pin.text.splitlines()
    assert named.startswith("Package: amd-smi-lib amdgpu-* ")
    assert rest == ["Pin: release o=repo.radeon.com", "Pin-Priority: 600"]
    written = amd_repository().pin.preferences("h.example")
    assert [line for line in written.splitlines() if line and line != named] == [
        "# Written by rdna1.",
        "Pin: release o=repo.radeon.com",
        "Pin-Priority: 600",
        'Pin: origin "h.example"',
        "Pin-Priority: 600",
        "Package: *",
        "Pin: release o=repo.radeon.com",
        "Pin-Priority: 50",
        "Package: *",
        'Pin: origin "h.example"',
        "Pin-Priority: 50",
    ]


def named_by_the_pin(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in amd_repository().pin.packages)


@pytest.mark.parametrize("stack", stack_names())
def test_the_pin_names_all_of_amds_packages_of_a_stack(stack: str) -> None:
    loaded = load_stack(stack)
    names = [
        name
        for packages in loaded.rocm_sources.get("amd", [])
        for purpose in packages.packages.values()
        for name in purpose
    ]
    names += [name for driver in loaded.dkms for name in driver.packages]
    names += [name for dependency in loaded.amd_dependencies for name in dependency.of]
    assert [name for name in names if not named_by_the_pin(name)] == []


@pytest.mark.parametrize("path", sorted(ARCHIVES.glob("amd*.yml")), ids=lambda path: path.stem)
def test_the_pin_names_what_is_known_of_amds_archives(path: Path) -> None:
    names = [package.name for package in fake_packages(path.stem)]
    assert [name for name in names if not named_by_the_pin(name)] == []


@pytest.mark.parametrize(
    "name",
    ["sudo", "libc6", "python3", "linux-image-6.8.0-40-generic", "libdrm2", "libdrm-amdgpu1"],
)
def test_the_pin_names_nothing_of_the_distribution(name: str) -> None:
    assert not named_by_the_pin(name)


@pytest.mark.parametrize("name", [name for name in stack_names() if name != "therock"])
def test_the_suites_of_each_stack_are_known(name: str) -> None:
    assert amd_repository().suites_of(load_stack(name).rocm_version) is not None


def test_apt_is_asked_about_all_packages_of_all_stacks() -> None:
    names = requested_packages()
    assert names == sorted(set(names))
    assert {"rocminfo", "rocm-smi", "libamdhip64-5", "python3-torch"} <= set(names)
    assert {"libtinfo5", "libncurses5", "libstdc++-5-dev", "libstdc++-7-dev"} <= set(names)
