from __future__ import annotations

import pytest

from rdna1.repositories import amd_repository
from rdna1.stacks import load_stack, requested_packages, stack_names


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
    assert amd_repository().pin.text.splitlines() == [
        "Package: *",
        "Pin: release o=repo.radeon.com",
        "Pin-Priority: 600",
    ]


@pytest.mark.parametrize("name", [name for name in stack_names() if name != "therock"])
def test_the_suites_of_each_stack_are_known(name: str) -> None:
    assert amd_repository().suites_of(load_stack(name).rocm_version) is not None


def test_apt_is_asked_about_all_packages_of_all_stacks() -> None:
    names = requested_packages()
    assert names == sorted(set(names))
    assert {"rocminfo", "rocm-smi", "libamdhip64-5", "python3-torch"} <= set(names)
    assert {"libtinfo5", "libncurses5", "libstdc++-5-dev", "libstdc++-7-dev"} <= set(names)
