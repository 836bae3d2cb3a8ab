from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from rdna1.catalog.cards import CardList, Chip, card_list
from rdna1.catalog.stacks import load_stack, stack_names
from rdna1.preflight import assess, load_facts
from rdna1.preflight.matrix import MatrixEntry, matrix

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

STACKS = [load_stack(name) for name in stack_names()]
# A chip that no stack serves stands next to those of the list.
CARDS = CardList(
    vendor="1002", chips=[*card_list().chips, Chip("Cyan Skillfish", "gfx1013", {"13fe": "BC-250"})]
)
ENTRIES = matrix(STACKS, CARDS).entries


def find(stack: str, os: str, version: str, gfx_target: str = "gfx1010") -> MatrixEntry:
    key = (stack, os, version, gfx_target)
    return next(e for e in ENTRIES if (e.stack, e.os, e.version, e.gfx_target) == key)


@pytest.mark.parametrize(
    ("place", "support", "rocm_source", "reason", "remedy"),
    [
        (("rocm-5.7", "ubuntu", "24.04"), "supported", "distro", "", ""),
        (("rocm-5.7", "debian", "13"), "community", "distro", "rocm-smi are 6.1.2", ""),
        (("rocm-5.7", "ubuntu", "22.04"), "community", "amd", "no card of RDNA1", ""),
        (("rocm-5.7", "ubuntu", "20.04"), "community", "amd", "no card of RDNA1", ""),
        (("rocm-5.7", "ubuntu", "26.04"), "community", "none", "is 7.1", ""),
        (("rocm-5.2", "ubuntu", "26.04"), "refused", None, "only", "rocm-5.7 or therock"),
        (("rocm-5.7", "ubuntu", "26.10"), "refused", None, "only", "Use the stack therock there"),
        (("therock", "ubuntu", "26.04"), "community", "none", "no RDNA1 card", ""),
        (("rocm-5.7", "debian", "12"), "community", "none", "brings its own", ""),
        (("rocm-5.2", "ubuntu", "22.04"), "community", "amd", "not on 22.04", ""),
        (("rocm-5.2", "ubuntu", "24.04"), "refused", None, "libtinfo5", "Use the stack rocm-5.7"),
        (("rocm-5.2", "ubuntu", "24.04"), "refused", None, "glibc is 2.39", "Ubuntu 22.04"),
        (
            ("rocm-5.2", "debian", "13"),
            "refused",
            None,
            "(community) only",
            "rocm-5.7 or therock",
        ),
        (("therock", "ubuntu", "20.04"), "community", "none", "on no RDNA1 card", ""),
        (("rocm-5.7", "ubuntu", "24.04", "gfx1013"), "refused", None, "nothing for gfx1013", ""),
    ],
)
def test_entries(
    place: tuple[str, str, str], support: str, rocm_source: str | None, reason: str, remedy: str
) -> None:
    entry = find(*place)
    assert (entry.support, entry.rocm_source) == (support, rocm_source)
    assert reason in " ".join(entry.reasons)
    assert remedy in entry.remedy
    assert bool(entry.remedy) == bool(remedy)


def test_every_combination_has_one_entry() -> None:
    releases = {(r.os, r.version) for stack in STACKS for r in stack.releases}
    keys = [(e.stack, e.os, e.version, e.gfx_target) for e in ENTRIES]
    assert len(set(keys)) == len(keys) == len(STACKS) * len(releases) * len(CARDS.chips)
    assert all(entry.reasons for entry in ENTRIES if entry.support != "supported")


def test_newer_releases_come_first_as_numbers() -> None:
    stack = STACKS[0]
    old = msgspec.structs.replace(stack.releases[0], version="9.10")
    stack = msgspec.structs.replace(stack, releases=[old, *stack.releases])
    shown = [e.release for e in matrix([stack], CARDS).entries if e.gfx_target == "gfx1010"]
    assert shown == [
        "Ubuntu 26.04",
        "Ubuntu 24.04",
        "Ubuntu 22.04",
        "Ubuntu 20.04",
        "Ubuntu 9.10",
        "Debian 13",
        "Debian 12",
    ]


LISTED = [entry for entry in ENTRIES if entry.gfx_target != "gfx1013"]


@pytest.mark.parametrize(
    "entry", LISTED, ids=lambda e: f"{e.stack}-{e.os}-{e.version}-{e.gfx_target}"
)
def test_the_matrix_promises_what_preflight_says(make_facts: MakeFacts, entry: MatrixEntry) -> None:
    boards = {chip.gfx_target: min(chip.boards) for chip in CARDS.chips}
    display = make_facts({})["displays"][0] | {"device": boards[entry.gfx_target]}
    system = make_facts({})["os"] | {"id": entry.os, "version_id": entry.version}
    facts = load_facts(make_facts({"os": system, "displays": [display]}))
    report = assess(facts, load_stack(entry.stack))
    status = {finding.id: finding.status for finding in report.checks}
    promised = {"supported": "pass", "community": "warn", "refused": "fail"}
    assert status["os-release"] == promised[entry.support]
    assert status["card"] != "fail"
