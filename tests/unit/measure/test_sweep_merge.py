"""Shards become one sweep; those of several cards become several."""

from __future__ import annotations

import msgspec
import pytest

from rdna1.conv.case import ConvCase
from rdna1.conv.result import ConvOutcome
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import EnvelopeError, allows
from rdna1.measure.envelope_merge import combined
from rdna1.measure.sweep.grid import Grid, combinations, expand
from rdna1.measure.sweep.merge import MergeError, merged_by_card
from rdna1.measure.sweep.report import SweepCase, SweepPart, SweepReport

GRID = expand(Grid(side=[20, 40]))


def sweep(shard: int, of: int, outcome: ConvOutcome, date: str) -> SweepReport:
    """A shard in which all cases end alike."""
    found = combinations(GRID)
    cases = found.cases[shard - 1 :: of]
    part = SweepPart(
        shard=shard,
        device=None,
        measured=Conditions(date=date),
        stopped="",
        not_run=0,
        workers_lost=0,
        wall_seconds=1.0,
        kernel_log_unavailable="",
        resets=[],
    )
    return SweepReport(
        verdict="pass",
        grid=GRID,
        timeout=1.0,
        max_hangs=1,
        legal=len(found.cases),
        illegal=0,
        too_large=0,
        shard_count=of,
        parts=[part],
        cases=[SweepCase(case, outcome, 0.0, shard=shard) for case in cases],
    )


def test_a_sweep_of_each_of_two_equal_cards_counts() -> None:
    whole = [("a", sweep(1, 1, "pass", "1")), ("b", sweep(1, 1, "hang", "2"))]
    assert len(merged_by_card(whole, several=False)) == 2
    # The worse of two outcomes counts.
    with pytest.raises(EnvelopeError, match="nothing passes"):
        combined([report for _, report in whole])


def test_shards_of_two_cards_are_two_sweeps() -> None:
    shards = [
        (f"{card}{number}", sweep(number, 2, "pass", card))
        for number in (1, 2)
        for card in ("1", "2")
    ]
    first, second = merged_by_card(shards, several=False)
    assert [part.shard for part in first.parts] == [part.shard for part in second.parts] == [1, 2]


def test_the_same_report_twice_and_another_grid_are_refused() -> None:
    one = sweep(1, 1, "pass", "1")
    with pytest.raises(MergeError, match="b has shard 1, as a has"):
        merged_by_card([("a", one), ("b", one)], several=True)
    other = msgspec.structs.replace(one, grid=msgspec.structs.replace(GRID, n=[2]))
    with pytest.raises(MergeError, match="the grids differ in n"):
        merged_by_card([("a", one), ("b", other)], several=False)


def test_an_envelope_is_made_of_different_sweeps() -> None:
    one = sweep(1, 1, "pass", "1")
    other = msgspec.structs.replace(one, timeout=2.0)
    assert len(merged_by_card([("a", one), ("b", other)], several=True)) == 2
    assert allows(combined([one, other]).envelope, ConvCase(16, 32, 20, 20, 3, 3, padding=1))
