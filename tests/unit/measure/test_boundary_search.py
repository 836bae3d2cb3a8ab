"""The search for a limit: exact, with few losses, and no strategy is cheaper."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.measure.boundary.search import LOSS_COST, most_losses, next_question


def cost_of(values: int, limit: int) -> tuple[int, int]:
    """Passes and losses until the limit (0 to ``values``) is known, which is checked."""
    low, high, passes, losses = 0, values + 1, 0, 0
    while high - low > 1:
        asked = low + next_question(high - low - 1)
        assert low < asked < high
        if asked <= limit:
            low, passes = asked, passes + 1
        else:
            high, losses = asked, losses + 1
    assert low == limit
    return passes, losses


@cache
def cheapest(values: int) -> int:
    """The least worst-case cost, by trying each first question."""
    return min(
        (
            max(LOSS_COST + cheapest(asked - 1), 1 + cheapest(values - asked))
            for asked in range(1, values + 1)
        ),
        default=0,
    )


def test_the_worst_case_costs_what_the_best_strategy_costs() -> None:
    for values in range(1, 150):
        costs = (cost_of(values, limit) for limit in range(values + 1))
        assert max(p + LOSS_COST * lost for p, lost in costs) == cheapest(values)


@settings(deadline=None)
@given(st.integers(1, 5000), st.data())
def test_every_limit_is_found_within_the_losses_promised(values: int, data: st.DataObject) -> None:
    passes, losses = cost_of(values, data.draw(st.integers(0, values)))
    assert losses <= most_losses(values)
    assert passes < 2 * LOSS_COST + values // LOSS_COST


def test_two_losses_are_enough_for_592_values_and_one_for_32() -> None:
    assert [most_losses(values) for values in (1, 32, 33, 592, 593)] == [1, 1, 2, 2, 3]


def test_the_first_question_is_near_the_low_end() -> None:
    assert next_question(511) == 31
    assert next_question(LOSS_COST) == 1
