"""A case is slow by what its device did with others, and noise does not make it so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult
from rdna1.measure.slowness import FLOOR_SECONDS, expected_seconds, mark_slow

LAYER = ConvCase(16, 32, 20, 20, 3, 3, padding=1)


def took(seconds: float, outcome: Any = "pass", **changes: Any) -> CaseResult:
    return CaseResult(msgspec.structs.replace(LAYER, **changes), outcome, seconds)


@pytest.mark.parametrize(
    ("changes", "others", "seconds"),
    [
        ({}, [took(0.002)], 0.002),
        # Ten images are ten times the arithmetic; the weight is read once.
        ({"n": 10}, [took(0.002)], 0.02),
        # A smaller case may take as long as a larger one.
        ({}, [took(0.002, n=10)], 0.002),
        # The undisturbed of two.
        ({}, [took(0.3), took(0.002)], 0.002),
        ({"n": 10}, [took(0.002), took(0.011, n=5)], 0.02),
        # Depthwise: a sixteenth of the arithmetic of 16->16, for the same traffic but the weight's.
        (
            {"c_out": 16, "groups": 16},
            [took(0.002, c_out=16, groups=4)],
            0.002,
        ),
        ({"c_out": 16, "groups": 4}, [took(0.002, c_out=16, groups=16)], 0.008),
        # What went wrong, or has another dtype, says nothing.
        ({}, [took(15.0, "hang"), took(0.1, "wrong"), took(0.1, dtype="float16")], None),
        ({}, [took(1.0, "slow"), took(15.0, "crash")], 1.0),
        ({}, [], None),
    ],
)
def test_expected_seconds(
    changes: dict[str, Any], others: list[CaseResult], seconds: float | None
) -> None:
    case = msgspec.structs.replace(LAYER, **changes)
    assert expected_seconds(case, others) == (seconds and pytest.approx(seconds))


def test_traffic_counts_where_it_is_scarcer_than_arithmetic() -> None:
    dense = ConvCase(256, 256, 7, 7, 3, 3, padding=1)
    depthwise = ConvCase(256, 256, 112, 112, 3, 3, padding=1, groups=256)
    assert depthwise.multiply_accumulates == dense.multiply_accumulates
    expected = expected_seconds(depthwise, [CaseResult(dense, "pass", 0.001)])
    assert expected == pytest.approx(0.001 * depthwise.tensor_bytes / dense.tensor_bytes)


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        (FLOOR_SECONDS, "pass"),
        (0.76, "slow"),
        (1.002, "slow"),
        (15.0, "slow"),
    ],
)
def test_the_floor(seconds: float, outcome: str) -> None:
    others = [took(0.002), took(0.003, n=2)]
    marked = mark_slow([took(seconds, kh=1, kw=1, padding=0), *others])
    assert [result.outcome for result in marked] == [outcome, "pass", "pass"]
    assert marked[1:] == others


@pytest.mark.parametrize(("seconds", "outcome"), [(4.9, "pass"), (5.1, "slow")])
def test_the_factor(seconds: float, outcome: str) -> None:
    marked = mark_slow(
        [took(0.5, kh=1, kw=1, padding=0, n=9), took(seconds, kh=1, kw=1, padding=0)]
    )
    assert [result.outcome for result in marked] == ["pass", outcome]


def test_what_other_cases_waited_for_a_processor_does_not_hide_a_slow_one() -> None:
    waited = msgspec.structs.replace(took(0.3, n=2), waited_seconds=0.29)
    assert [result.outcome for result in mark_slow([waited, took(1.0)])] == ["pass", "slow"]


def test_a_tenth_of_what_other_cases_took_counts_however_long_they_waited() -> None:
    waited = msgspec.structs.replace(took(0.3, n=2), waited_seconds=0.3)
    assert expected_seconds(LAYER, [waited]) == pytest.approx(0.03)


def test_the_detail_names_both_times() -> None:
    slow = mark_slow([took(1.0021), took(0.0021, n=2)])[0]
    assert slow.detail == "took 1 s; 0.0021 s is what the other cases lead to expect"


@pytest.mark.parametrize("outcome", ["hang", "crash", "error", "wrong"])
def test_what_did_not_pass_is_never_called_slow(outcome: str) -> None:
    results = [took(15.0, outcome), took(0.002, n=2)]
    assert mark_slow(results) == results


def test_when_all_is_slow_nothing_is() -> None:
    results = [took(1.0), took(1.1, n=2), took(1.2, n=3)]
    assert mark_slow(results) == results


@given(st.lists(st.floats(0, FLOOR_SECONDS), max_size=8), st.lists(st.integers(1, 64), max_size=8))
def test_no_noise_below_the_floor_makes_a_case_slow(times: list[float], ns: list[int]) -> None:
    results = [took(seconds, n=n) for seconds, n in zip(times, ns, strict=False)]
    assert mark_slow(results) == results
