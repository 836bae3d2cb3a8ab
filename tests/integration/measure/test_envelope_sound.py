"""No envelope allows a layer that fails, whatever the rule; the device is a double."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.conv.case import ConvCase
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import allows, envelope_of
from support.convolutions import investigate, losses, pretend
from support.examples import examples
from support.rules import LAYERS, MAX_SIDE, Rule, held, held_after, rules


def side(case: ConvCase) -> int:
    return max(case.h, case.w)


@settings(max_examples=examples(6), deadline=None)
@given(rules(), st.integers(1, 12))
def test_no_envelope_is_unsafe(rule: Rule, max_hangs: int) -> None:
    found = held(rule.fails, max_hangs)
    assert found.unsafe == []
    assert found.lost <= max_hangs


@pytest.mark.parametrize(
    "fails",
    [
        lambda case: 14 < side(case) < 30,
        lambda case: case.h % 8 == 4 and case.h > 16,
        lambda case: case.workspace_bytes > 100_000 and side(case) > 14,
        lambda case: case.n > 1 and case.groups > 1 and case.h > 13,
        lambda case: case.n == 1 and side(case) > 14,
    ],
)
def test_no_envelope_of_an_odd_rule_is_unsafe(fails: Callable[[ConvCase], bool]) -> None:
    assert held(fails).unsafe == []


# Of 1500 random rules the two that had an unsafe envelope: what fails has few channels and much of
# something else.
FEW_WITH_MUCH = (
    Rule((("kh", "<=", 5), ("c_in", "<=", 16)), (("input elements", 400),), every=True),
    Rule(
        (("direction", "==", "backward"), ("c_in", "<=", 64)),
        (("height", 6), ("work", 3875328)),
        every=True,
    ),
)


@pytest.mark.parametrize("rule", FEW_WITH_MUCH, ids=str)
def test_few_channels_are_tried_with_much_of_the_rest(rule: Rule) -> None:
    _, cases = investigate(pretend(rule.fails), max_side=MAX_SIDE, form="full")
    assert held_after(cases, rule.fails).unsafe == []
    # A class in which the least was not tried yet allows no fewer channels.
    bad = [case for case in LAYERS if rule.fails(case)]
    for number in range(20, len(cases), 20):
        made = envelope_of(cases[:number], Conditions(), tries_less=True)
        assert not [case for case in bad if allows(made, case)], number


@pytest.mark.parametrize("most", [3, 17])
def test_a_plain_side_forbids_little_and_takes_eight_hangs_at_most(most: int) -> None:
    found = held(lambda case: side(case) > most)
    assert found.forbidden < 0.1
    assert found.lost <= 8


def test_a_plain_workspace_takes_eight_hangs_at_most() -> None:
    found = held(lambda case: case.workspace_bytes > 200_000)
    assert found.forbidden < 0.1
    assert found.lost <= 8


@pytest.mark.parametrize("max_hangs", [1, 2, 5])
def test_the_budget_is_a_hard_bound(max_hangs: int) -> None:
    def fails(case: ConvCase) -> bool:
        return hash((case.h, case.w, case.c_in, case.kh)) % 7 == 0

    _, cases = investigate(pretend(fails), max_side=64, max_hangs=max_hangs, form="full")
    assert losses(cases) <= max_hangs
