"""Limits say exactly what boxes hold, and in few lines."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.conv.case import ConvCase
from rdna1.conv.limits import contained_in
from rdna1.measure.boundary.limit_list import limits_of
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import allows, envelope_of
from support.convolutions import investigate, pretend
from support.examples import examples
from support.rules import LAYERS, ODD_LAYERS

_EVERY = [case for case in (*LAYERS, *ODD_LAYERS) if not case.transposed and case.dims == 2]
_NEAR = [case for case in _EVERY if case.h < 24 and case.w < 24]


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.sampled_from(_EVERY), min_size=1, max_size=30))
def test_limits_allow_what_is_inside_of_a_box_and_nothing_else(passed: list[ConvCase]) -> None:
    boxes = [contained_in(case) for case in passed]
    limits = limits_of(boxes, absent=("kd", "depth"))
    for case in (*passed, *_NEAR):
        assert any(case in box for box in boxes) == (not any(map_.forbids(case) for map_ in limits))


def test_limits_that_hold_for_all_classes_are_said_once() -> None:
    _, cases = investigate(pretend(lambda case: max(case.h, case.w) > 42), 128, form="full")
    made = envelope_of(cases, Conditions())
    assert len(made.limits) < 150
    assert any(
        limit.quantity == "side" and limit.max == 42 and not limit.when for limit in made.limits
    )


def test_what_passed_is_allowed() -> None:
    _, cases = investigate(pretend(lambda case: case.workspace_bytes > 700_000), 128, form="full")
    passed = [each.case for each in cases if each.outcome == "pass"]
    made = envelope_of(cases, Conditions())
    assert passed
    assert all(allows(made, case) for case in passed)
    assert len(made.limits) < 400
