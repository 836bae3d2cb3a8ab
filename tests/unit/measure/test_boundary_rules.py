"""Limits and rules are found, or said to be unknown; the device is a double."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult, ConvOutcome
from rdna1.measure.boundary import layers
from rdna1.measure.boundary.conclusion import conclude
from rdna1.measure.boundary.investigation import HangBudgetError, Investigation, Step
from rdna1.measure.boundary.kinds import Form
from rdna1.measure.boundary.quantity import QUANTITIES, SIDE, WORKSPACE, Quantity, fit
from rdna1.worker.supervisor import DeviceLostError
from support.convolutions import investigate, losses, pretend
from support.examples import examples
from support.rules import MAX_SIDE, Rule

# One example is a whole search.
SOME = settings(max_examples=examples(15), deadline=None)

LIMITS = st.integers(2, 480)


def side(case: ConvCase) -> int:
    return max(case.h, case.w)


@SOME
@given(LIMITS)
def test_any_limit_on_the_side_is_exact_to_one_pixel(limit: int) -> None:
    result, cases = investigate(pretend(lambda case: side(case) > limit))
    assert (result.safe_side, result.first_bad_side, result.rule) == (limit, limit + 1, "side")
    assert (result.first_bad_outcome, result.quantity) == ("hang", "side")
    assert result.safe_workspace_bytes is None
    assert losses(cases) <= 6


@SOME
@given(st.integers(60_000, 30_000_000))
def test_any_limit_on_the_workspace_lies_between_neighbours(limit: int) -> None:
    result, cases = investigate(pretend(lambda case: case.workspace_bytes > limit))
    assert (result.rule, result.quantity) == ("workspace", "workspace")
    low, high = result.safe_workspace_bytes, result.first_bad_workspace_bytes
    assert low is not None
    assert high is not None
    assert low <= limit < high
    assert layers.workspaces_between(low, high, 512) == []
    reference = max(s for s in range(1, 513) if layers.reference(s).workspace_bytes <= limit)
    assert result.safe_side == reference
    assert losses(cases) <= 9


@SOME
@given(st.integers(10, 200), st.sampled_from(QUANTITIES[2:]))
def test_other_quantities_are_named_and_make_no_rule(limit: int, chosen: Quantity) -> None:
    threshold = chosen.measure(layers.reference(limit))
    result, cases = investigate(pretend(lambda case: chosen.measure(case) > threshold))
    assert (result.rule, result.safe_side) == ("unknown", limit)
    assert result.quantity == chosen.name
    assert chosen.name in result.explanation
    assert losses(cases) <= 9


@SOME
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.sampled_from(
        [
            lambda case, low, high: side(case) > low or case.workspace_bytes > 2304 * high**2,
            lambda case, low, high: side(case) > low and case.c_in > high % 40,
            lambda case, low, high: low < side(case) <= high,
            lambda case, low, high: side(case) > low and case.w % (high % 7 + 2) != 0,
            lambda case, low, high: case.dtype == "float16" or case.h * case.w > low * high,
            lambda case, low, high: hash((case.h * low, case.w, case.c_in + high)) % 5 == 0,
        ]
    ),
    st.integers(1, 600),
    st.integers(1, 12),
)
def test_whatever_the_device_does_the_report_contradicts_no_case(
    numbers: tuple[int, int],
    fails: Callable[[ConvCase, int, int], bool],
    max_side: int,
    max_hangs: int,
) -> None:
    measure = pretend(lambda case: fails(case, *numbers))
    result, cases = investigate(measure, max_side, max_hangs)
    assert losses(cases) <= max_hangs
    assert max(side(each.case) for each in cases) <= max_side
    assert len({each.case for each in cases}) == len(cases)
    for each in cases:
        passed = each.outcome == "pass"
        if result.rule == "side":
            assert passed == (side(each.case) <= (result.safe_side or 0))
        if result.rule == "workspace":
            assert passed == (each.case.workspace_bytes <= (result.safe_workspace_bytes or 0))
        if result.rule == "none":
            assert passed
        if layers.is_reference(each.case) and each.case.h <= (result.safe_side or 0):
            assert passed


def test_the_recorded_limit_takes_four_hangs_and_the_workspace_six() -> None:
    _, by_side = investigate(pretend(lambda case: side(case) > 42))
    _, by_workspace = investigate(pretend(lambda case: case.workspace_bytes > 2**20))
    assert (losses(by_side), losses(by_workspace)) == (4, 6)


def test_one_mebibyte_is_found_between_neighbouring_layers() -> None:
    result, _ = investigate(pretend(lambda case: case.workspace_bytes > 2**20))
    assert (result.safe_side, result.rule) == (42, "workspace")
    assert (result.safe_workspace_bytes, result.first_bad_workspace_bytes) == (1048572, 1048608)


@pytest.mark.parametrize("outcome", ["crash", "error", "wrong", "slow"])
def test_the_kind_of_failure_is_named(outcome: ConvOutcome) -> None:
    result, _ = investigate(pretend(lambda case: side(case) > 42, outcome))
    assert (result.safe_side, result.first_bad_outcome, result.rule) == (42, outcome, "side")


def test_everything_passes() -> None:
    result, cases = investigate(pretend(lambda _: False))
    assert (result.rule, result.safe_side, result.first_bad_side) == ("none", None, None)
    assert (result.largest_side_tried, result.limit_found) == (512, True)
    assert len(cases) < 60


def test_nothing_passes_and_that_costs_two_hangs() -> None:
    result, cases = investigate(pretend(lambda _: True))
    assert (result.safe_side, result.first_bad_side, result.limit_found) == (None, 1, False)
    assert result.explanation == "nothing passes"
    assert losses(cases) == 2


@pytest.mark.parametrize(
    ("fails", "shown"),
    [
        (lambda case: 42 < side(case) < 100, [43, 256]),
        (lambda case: case.h > 42 and case.h % 8 != 0, [43, 256]),
        (lambda case: side(case) > 42 and case.w % 8 != 0, [43, 256]),
        (lambda case: case.h % 8 != 0, [1, 32]),
        (lambda case: case.h in (16, 17) or case.h > 42, [16, 18]),
    ],
)
def test_what_is_not_monotonic_is_said_with_the_cases_that_show_it(
    fails: Callable[[ConvCase], bool], shown: list[int]
) -> None:
    result, _ = investigate(pretend(fails))
    assert (result.rule, result.monotonic) == ("unknown", False)
    assert "not monotonic" in result.explanation
    assert result.contradicting[0].h == shown[0]
    assert result.contradicting[1].h >= shown[1]


@pytest.mark.parametrize(
    ("fails", "form", "common"),
    [
        (lambda case: side(case) > 42 or case.dtype == "float16", "quick", "dtype float16"),
        (lambda case: side(case) > 42 or case.c_in > 60, "quick", "64 or more input channels"),
        (lambda case: case.dtype == "float16", "full", "dtype float16"),
    ],
)
def test_what_matters_besides_size_is_named(
    fails: Callable[[ConvCase], bool], form: Form, common: str
) -> None:
    result, _ = investigate(pretend(fails), max_side=64, form=form)
    assert result.rule == "unknown"
    assert common in result.explanation
    assert result.contradicting


def test_cases_in_the_gap_that_the_reference_layer_leaves_are_named_when_they_disagree() -> None:
    # Of 1500 random rules the one whose cases all lie between two sides of the reference layer.
    rule = Rule(conditions=(), limits=(("work", 139392), ("workspace", 14400)), every=True)
    result, cases = investigate(pretend(rule.fails), MAX_SIDE, max_hangs=6, form="full")
    assert result.explanation.startswith("no single quantity explains all cases")
    assert result.contradicting
    named = set(result.contradicting)
    kept = [each for each in cases if each.case not in named]
    nearest = next(q for q in (SIDE, WORKSPACE) if f"the {q.name} explains" in result.explanation)
    assert fit(nearest, kept).agrees


def test_a_limit_that_leaves_no_room_is_undecided() -> None:
    result, _ = investigate(pretend(lambda case: side(case) > 1))
    assert (result.safe_side, result.rule, result.quantity) == (1, "unknown", None)
    assert "side, area, and no affordable case up to side 512 tells" in result.explanation


def test_a_spent_budget_names_the_case_that_would_decide() -> None:
    result, cases = investigate(pretend(lambda case: side(case) > 42), max_hangs=2)
    assert (result.safe_side, result.first_bad_side, result.rule) == (42, 43, "unknown")
    assert losses(cases) == 2
    assert result.deciding_case is not None
    assert result.deciding_case not in [each.case for each in cases]
    assert result.deciding_case.layer in result.explanation


def test_a_budget_of_one_leaves_the_bracket() -> None:
    result, _ = investigate(pretend(lambda case: side(case) > 42), max_hangs=1)
    assert (result.safe_side, result.first_bad_side) == (32, 62)
    assert not result.limit_found


def test_a_lost_device_ends_the_search_with_its_case() -> None:
    lost = CaseResult(layers.reference(32), "hang", 1.0, detail="does not die")

    def measure(case: ConvCase) -> CaseResult:
        """A double: the device is lost at 32 pixels."""
        if case == lost.case:
            raise DeviceLostError(lost)
        return CaseResult(case, "pass", 0.0)

    investigation = Investigation(measure, 512, lambda: 12, lambda _: None)
    with pytest.raises(DeviceLostError):
        investigation.run()
    assert [each.outcome for each in investigation.cases] == ["pass", "hang"]
    result = conclude(investigation.cases, 512)
    assert (result.safe_side, result.first_bad_side, result.limit_found) == (1, 32, False)


class Way:
    """One of two ways to run a case, which keeps what hung on it."""

    def __init__(self, fails: Callable[[ConvCase], bool]) -> None:
        self.hung: list[ConvCase] = []
        self._run = pretend(fails)

    def measure(self, case: ConvCase) -> CaseResult:
        result = self._run(case)
        self.hung += [case] if result.outcome == "hang" else []
        return result


def pretend_apart(fails: Callable[[ConvCase], bool]) -> tuple[Way, Way]:
    return Way(fails), Way(fails)


def confirming(fails: Callable[[ConvCase], bool], max_hangs: int = 12) -> Investigation:
    """A search whose deadlines are too short above 42 pixels until one case had the full one."""
    doubtful: set[ConvCase] = set()
    is_learnt = False
    full = pretend(fails)

    def measure(case: ConvCase) -> CaseResult:
        if fails(case) or is_learnt or side(case) <= 42:
            doubtful.update([case] if fails(case) else [])
            return full(case)
        doubtful.add(case)
        return CaseResult(case, "hang", 2.0)

    def confirm(case: ConvCase) -> CaseResult:
        nonlocal is_learnt
        result = full(case)
        is_learnt |= result.outcome == "pass"
        return result

    return Investigation(measure, 512, lambda: max_hangs, lambda _: None, None, doubtful, confirm)


def test_a_hang_that_does_not_come_again_is_no_limit() -> None:
    investigation = confirming(lambda case: side(case) > 100)
    investigation.run()
    result = conclude(investigation.cases, 512)
    assert (result.safe_side, result.first_bad_side) == (100, 101)
    tried = [each.outcome for each in investigation.cases if each.case == layers.reference(43)]
    assert tried == ["pass"]


def test_the_hang_that_is_the_limit_has_the_full_timeout_the_first_time() -> None:
    investigation = confirming(lambda case: side(case) > 42)
    investigation.run()
    result = conclude(investigation.cases, 512)
    assert (result.safe_side, result.first_bad_side, result.rule) == (42, 43, "side")
    again = [each for each in investigation.cases if each.case == layers.reference(43)]
    assert [each.outcome for each in again] == ["hang"]
    assert losses(investigation.cases) == losses(investigate(pretend(lambda c: side(c) > 42))[1])


def test_a_hang_above_the_last_side_that_passes_is_tried_again() -> None:
    investigation = confirming(lambda case: side(case) > 61)
    investigation.run()
    again = [each for each in investigation.cases if each.case == layers.reference(62)]
    assert [each.outcome for each in again] == ["hang", "hang"]


def test_a_hang_that_nothing_announced_has_the_full_timeout() -> None:
    hurried, patient = pretend_apart(lambda case: case.direction != "forward" and side(case) > 20)
    survey = Investigation(
        hurried.measure, 32, lambda: 12, lambda _: None, "quick", (), patient.measure
    )
    survey.run()
    # What the first one has announced is not waited for so long.
    first = next(each for each in survey.cases if each.outcome == "hang")
    assert [case for case in patient.hung if case == first.case] == [first.case]
    assert 0 < len(patient.hung) < losses(survey.cases)


def test_a_hang_that_nobody_may_confirm_stays() -> None:
    investigation = confirming(lambda case: side(case) > 100, max_hangs=1)
    with pytest.raises(HangBudgetError):
        investigation.run()
    assert conclude(investigation.cases, 512).first_bad_side == 62


def test_every_step_tells_hangs_and_bracket() -> None:
    steps: list[Step] = []
    measure = pretend(lambda case: side(case) > 42)
    Investigation(measure, 512, lambda: 12, steps.append).run()
    assert [(step.safe, step.bad, step.lost) for step in steps[:4]] == [
        (0, None, 0),
        (1, None, 0),
        (32, None, 0),
        (32, 62, 1),
    ]
    assert (steps[-1].safe, steps[-1].bad, steps[-1].lost) == (42, 43, 3)


def test_nothing_measured_is_unknown() -> None:
    result = conclude([], 512)
    assert (result.rule, result.largest_side_tried, result.limit_found) == ("unknown", None, False)


def test_no_case_is_too_large_for_a_reference_on_the_cpu() -> None:
    most = layers.reference(512)
    for limit in (5, 42, 200, 500):
        for case in layers.candidates(limit, 512):
            assert math.prod(case.output_shape) * case.c_in * case.kh * case.kw <= (
                math.prod(most.output_shape) * most.c_in * 9
            )
