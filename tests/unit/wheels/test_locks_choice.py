from __future__ import annotations

import pytest

from rdna1.catalog.cards import card_list
from rdna1.catalog.stacks import load_stack
from rdna1.wheels import ChoiceError, Python, choose_gfx_target, choose_python


def system(*versions: str) -> list[dict[str, str]]:
    """Pythons of a system; the first is its own python3."""
    named = [{"path": f"/usr/bin/python{version}", "version": version} for version in versions]
    return [{"path": "/usr/bin/python3", "version": versions[0]}, *named]


@pytest.mark.parametrize(
    ("stack", "versions", "chosen"),
    [
        ("rocm-5.7", ("3.12",), Python("3.12", "/usr/bin/python3")),
        ("rocm-5.7", ("3.10", "3.12"), Python("3.10", "/usr/bin/python3")),
        ("rocm-5.7", ("3.13", "3.9", "3.11"), Python("3.11", "/usr/bin/python3.11")),
        ("rocm-5.7", ("3.13",), Python("3.11", "")),
        # The wheels exist for 3.8, and this project does not run on it.
        ("rocm-5.7", ("3.8",), Python("3.11", "")),
        ("rocm-5.2", ("3.10",), Python("3.10", "/usr/bin/python3")),
        ("rocm-5.2", ("3.12",), Python("3.10", "")),
        ("rocm-5.2", ("3.8",), Python("3.10", "")),
        ("therock", ("3.14",), Python("3.14", "/usr/bin/python3")),
        ("therock", ("3.8",), Python("3.12", "")),
    ],
)
def test_pythons(stack: str, versions: tuple[str, ...], chosen: Python) -> None:
    assert choose_python(system(*versions), load_stack(stack).pytorch) == chosen


def cards(*devices: str) -> list[dict[str, str]]:
    return [{"vendor": "1002", "device": device} for device in devices]


@pytest.mark.parametrize(
    ("devices", "target"),
    [
        (("731f",), "gfx1010"),
        (("7360",), "gfx1011"),
        (("164e", "7340"), "gfx1012"),
        (("731f", "7312"), "gfx1010"),
    ],
)
def test_gfx_targets(devices: tuple[str, ...], target: str) -> None:
    assert choose_gfx_target(cards(*devices), card_list()) == target


@pytest.mark.parametrize(
    ("devices", "cause"), [((), "no RDNA1 card"), (("731f", "7340"), "gfx1010, gfx1012")]
)
def test_no_or_several_gfx_targets(devices: tuple[str, ...], cause: str) -> None:
    with pytest.raises(ChoiceError, match=rf"{cause}.*Remedy: .*pytorch_gfx_target"):
        choose_gfx_target(cards(*devices), card_list())
