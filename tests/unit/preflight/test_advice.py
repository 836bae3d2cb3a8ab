from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from msgspec.structs import replace

from rdna1.catalog.cards import card_list
from rdna1.catalog.recommendations import recommendations
from rdna1.catalog.stacks import load_stack, stack_names
from rdna1.preflight import load_facts
from rdna1.preflight.advice import Advice, advise
from rdna1.target.facts.collect import collect

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

FIXTURES = Path(__file__).parents[2] / "fixtures"
UNREAD = "/sys/bus/pci/devices: Permission denied"


def advice_on(facts: Mapping[str, object]) -> Advice:
    stacks = map(load_stack, stack_names())
    return advise(load_facts(facts), stacks, card_list(), recommendations())


class Box(NamedTuple):
    """A tree of files, and the advice for it."""

    tree: str
    stack: str | None
    proceed: bool
    card: str
    gfx_target: str | None
    words: str


@pytest.mark.parametrize(
    "box",
    [
        Box("ubuntu-24.04-rx5700xt", "therock", True, "rdna1", "gfx1010", "rdna1_stack=therock"),
        Box("ubuntu-22.04-rx5500xt", "therock", True, "rdna1", "gfx1012", "review the warnings"),
        Box("ubuntu-24.04-rx6800", None, False, "newer", "gfx1030", "current ROCm serves such"),
        Box("debian-13-no-card", None, False, "none", None, "it has no AMD card"),
        Box("ubuntu-24.04-wsl", None, False, "none", None, "inside Windows"),
        Box("debian-13-bc250", None, False, "other", "gfx1013", "is not one of RDNA1"),
        Box("ubuntu-24.04-mixed-rocm", "therock", False, "rdna1", "gfx1010", "once its failures"),
        Box(
            "ubuntu-24.04-find-enforce", "therock", False, "rdna1", "gfx1010", "failures are fixed"
        ),
    ],
    ids=lambda box: box.tree,
)
def test_trees(box: Box) -> None:
    advice = advice_on(collect(str(FIXTURES / box.tree)))
    assert (advice.stack, advice.proceed) == (box.stack, box.proceed)
    assert (advice.card.kind, advice.card.gfx_target) == (box.card, box.gfx_target)
    assert box.words in advice.summary


def test_rocm_52_is_refused_on_ubuntu_2404_with_its_reasons(make_facts: MakeFacts) -> None:
    advice = advice_on(make_facts({}))
    assert [(s.stack, s.fit) for s in advice.stacks] == [
        ("therock", "warned"),
        ("rocm-5.7", "ready"),
        ("rocm-5.2", "impossible"),
    ]
    problems = advice.stacks[2].problems
    assert [problem.id for problem in problems] == ["os-release"]
    for words in ("libtinfo5", "libncurses5", "libstdc++-5-dev", "glibc is 2.39"):
        assert words in "\n".join(problems[0].evidence)
    jammy = next(a for a in advice.alternatives if a.id == "ubuntu-22.04-rocm-5.2")
    assert (jammy.stack, jammy.fit) == ("rocm-5.2", "impossible")


def test_the_seeds_recommendations_and_native_wheels_come_with_trade_offs(
    make_facts: MakeFacts,
) -> None:
    alternatives = advice_on(make_facts({})).alternatives
    assert [alternative.id for alternative in alternatives] == [
        "measured-limit",
        "cpu-layers",
        "ubuntu-22.04-rocm-5.2",
        "native-wheels",
        "newer-card",
    ]
    assert all(a.gains and a.costs and a.sources for a in alternatives)
    native = alternatives[3]
    assert (native.stack, native.fit) == ("therock", "warned")
    assert "torch[device-gfx1010]" in native.how


SYSTEM: dict[str, object] = {
    "codename": None,
    "id_like": [],
    "pretty_name": "Some Linux",
}
OLD_UBUNTU = {"os": {**SYSTEM, "id": "ubuntu", "version_id": "20.04"}, "glibc": "2.31"}
FORBIDDEN = [{"name": "MIOPEN_FIND_ENFORCE", "value": "3", "place": "environment", "line": None}]


@pytest.mark.parametrize(
    ("changes", "stack", "fits", "problem"),
    [
        (
            {"variables": FORBIDDEN},
            "therock",
            {"therock": "after-repair", "rocm-5.7": "after-repair", "rocm-5.2": "impossible"},
            "find-enforce",
        ),
        (
            {"machine": "aarch64"},
            None,
            {"rocm-5.7": "impossible", "rocm-5.2": "impossible", "therock": "impossible"},
            "architecture",
        ),
        (
            {"os": None, "unknown.os": "unreadable"},
            None,
            {"rocm-5.7": "impossible", "rocm-5.2": "impossible", "therock": "impossible"},
            "os-release",
        ),
    ],
    ids=["repairable", "wrong processor", "unknown system"],
)
def test_the_best_stack(
    make_facts: MakeFacts,
    changes: Mapping[str, object],
    stack: str | None,
    fits: dict[str, str],
    problem: str,
) -> None:
    advice = advice_on(make_facts(changes))
    assert advice.stack == stack
    # The best first.
    assert list({found.stack: found.fit for found in advice.stacks}.items()) == list(fits.items())
    assert advice.stacks[0].problems[0].id == problem


def test_native_wheels_come_first_where_they_fit(make_facts: MakeFacts) -> None:
    first = advice_on(make_facts({})).stacks[0]
    assert first.stack == "therock"
    # What is known has a source, and the open question is told.
    assert all("(" in line for line in first.known)
    assert "Whether large convolutions hang" in first.unknown[0]
    # An override in the way refuses them, and the other stack works with it.
    override = {"name": "HSA_OVERRIDE_GFX_VERSION", "value": "10.3.0"}
    variables = [{**override, "place": "/etc/environment", "line": 1}]
    advice = advice_on(make_facts({"variables": variables}))
    assert [(s.stack, s.fit) for s in advice.stacks[:2]] == [
        ("rocm-5.7", "warned"),
        ("therock", "after-repair"),
    ]
    assert "gfx-override" in [problem.id for problem in advice.stacks[1].problems]
    # On a release that they do not go on, nothing is told of them.
    fedora = {"os": {**SYSTEM, "id": "fedora", "version_id": "41"}}
    assert [s.known for s in advice_on(make_facts(fedora)).stacks] == [[], [], []]


def test_a_stack_for_the_release_is_better_than_the_usual_one(make_facts: MakeFacts) -> None:
    usual = load_stack("rocm-5.7")
    newer = [release for release in usual.releases if release.version != "20.04"]
    stacks = [replace(usual, releases=newer), load_stack("rocm-5.2")]
    advice = advise(load_facts(make_facts(OLD_UBUNTU)), stacks, card_list(), [])
    assert [(s.stack, s.fit) for s in advice.stacks] == [
        ("rocm-5.2", "warned"),
        ("rocm-5.7", "impossible"),
    ]
    assert advice.stacks[1].problems[0].id == "os-release"


def test_better_support_breaks_a_tie(make_facts: MakeFacts) -> None:
    # A warning for both makes their verdicts equal; community support alone differs.
    facts = load_facts(make_facts({"pythons": []}))
    usual = load_stack("rocm-5.7")
    here = replace(usual.releases[0], support="community")
    stacks = [
        replace(usual, name="community", releases=[here]),
        replace(usual, name="supported"),
    ]
    advice = advise(facts, stacks, card_list(), [])
    assert [found.stack for found in advice.stacks] == ["supported", "community"]
    assert {found.fit for found in advice.stacks} == {"warned"}


def display(make_facts: MakeFacts, vendor: str, device: str) -> dict[str, Any]:
    card: dict[str, Any] = make_facts({})["displays"][0]
    return card | {"vendor": vendor, "device": device}


def node(make_facts: MakeFacts, device: str, gfx_target: str) -> dict[str, Any]:
    card: dict[str, Any] = make_facts({})["kfd"]["nodes"][-1]
    return card | {"device_id": device, "gfx_target": gfx_target}


@pytest.mark.parametrize(
    ("devices", "targets", "kind", "gfx_target"),
    [
        ([("1002", "73bf")], {"73bf": "gfx1030"}, "newer", "gfx1030"),
        ([("1002", "744c")], {"744c": "gfx1100"}, "newer", "gfx1100"),
        ([("1002", "7550")], {"7550": "gfx1201"}, "newer", "gfx1201"),
        ([("1002", "13fe")], {"13fe": "gfx1013"}, "other", "gfx1013"),
        ([("1002", "164e")], {"164e": "gfx1036"}, "other", "gfx1036"),
        (
            [("1002", "164e"), ("1002", "744c")],
            {"164e": "gfx1036", "744c": "gfx1100"},
            "newer",
            "gfx1100",
        ),
        ([("1002", "740f")], {"740f": "gfx90a"}, "other", "gfx90a"),
        ([("1002", "67df")], {"67df": "gfx803"}, "other", "gfx803"),
        ([("1002", "67df")], {}, "other", None),
        ([("1002", "67df")], {"67df": "nonsense"}, "other", "nonsense"),
        ([("1002", "67df"), ("1002", "73bf")], {"73bf": "gfx1030"}, "newer", "gfx1030"),
        ([("1002", "73bf"), ("1002", "731f")], {"73bf": "gfx1030"}, "rdna1", "gfx1010"),
        ([("10de", "2204")], {}, "none", None),
        ([], {}, "none", None),
    ],
)
def test_cards(
    make_facts: MakeFacts,
    devices: list[tuple[str, str]],
    targets: dict[str, str],
    kind: str,
    gfx_target: str | None,
) -> None:
    displays = [display(make_facts, *device) for device in devices]
    nodes = [node(make_facts, device, target) for device, target in targets.items()]
    advice = advice_on(make_facts({"displays": displays, "kfd.nodes": nodes}))
    assert (advice.card.kind, advice.card.gfx_target) == (kind, gfx_target)
    assert (advice.stack is not None) == (kind == "rdna1")
    native = [a for a in advice.alternatives if a.id == "native-wheels"]
    assert bool(native) == (kind == "rdna1")


@pytest.mark.parametrize(
    ("name", "stack", "proceed"),
    [
        ("os", None, False),
        ("system", None, False),
        ("machine", None, False),
        # Whether native wheels fit the card is not known.
        ("displays", "rocm-5.7", True),
        ("glibc", "therock", True),
        ("container", "therock", True),
        ("users", "therock", True),
        ("pythons", "therock", True),
        ("disk", "therock", True),
        ("rocm", "therock", False),
        ("kfd.nodes", "therock", True),
    ],
)
def test_advice_without_one_fact(
    make_facts: MakeFacts, name: str, stack: str | None, proceed: bool
) -> None:
    advice = advice_on(make_facts({name: None, f"unknown.{name}": UNREAD}))
    assert (advice.stack, advice.proceed) == (stack, proceed)
    assert len(advice.stacks) == len(stack_names())


def test_cards_that_could_not_be_read(make_facts: MakeFacts) -> None:
    advice = advice_on(make_facts({"displays": None, "unknown.displays": UNREAD}))
    assert (advice.card.kind, advice.card.name) == (
        "unknown",
        f"the cards could not be read: {UNREAD}",
    )
    assert (advice.stack, advice.proceed) == ("rocm-5.7", True)
