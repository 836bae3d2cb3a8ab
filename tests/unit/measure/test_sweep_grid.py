"""Grids, and their division into shards."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.catalog.yaml_data import DataFileError, load
from rdna1.conv.case import ConvCase
from rdna1.measure.sweep.grid import Grid, GridError, combinations, expand
from rdna1.measure.sweep.shard import Shard, cases_of, cost
from support.conv_cases import legal_cases
from support.examples import examples


def test_ranges_hold_their_last_value_and_values_come_once() -> None:
    assert expand(Grid(side=["8:24:8", 16, "24x40", 7])).side == [8, 16, 24, "24x40", 7]


def test_illegal_and_too_large_combinations_are_counted() -> None:
    grid = Grid(channels=["16->32"], side=[8, "8x9", 50], groups=[1, 3], dims=[2, 1], max_side=42)
    found = combinations(expand(grid))
    assert found.cases == [
        ConvCase(16, 32, 8, 8, 3, 3, padding=1),
        ConvCase(16, 32, 1, 8, 1, 3, padding=1, dims=1),
        ConvCase(16, 32, 8, 9, 3, 3, padding=1),
    ]
    # Three sides with three groups in two dimensions, and two sizes for one dimension, twice.
    assert (found.illegal, found.too_large) == (7, 2)


def test_depthwise_and_same_follow_the_case() -> None:
    grid = Grid(channels=["8->16"], side=[9], kernel=[5], dilation=[2], groups=["depthwise"])
    assert combinations(grid).cases == [
        ConvCase(8, 16, 9, 9, 5, 5, padding=4, dilation=2, groups=8)
    ]


@pytest.mark.parametrize(
    ("side", "cause"),
    [("9:8", "holds no size"), ("1:99999999", "holds 99999999 sizes")],
)
def test_a_range_without_use_is_refused(side: str, cause: str) -> None:
    with pytest.raises(GridError, match=cause):
        expand(Grid(side=[side]))


def test_too_many_combinations_are_refused() -> None:
    with pytest.raises(GridError, match="1002001 combinations"):
        expand(Grid(side=["1:1001"], n=list(range(1, 1002))))


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("sides: [8]", "2: sides"),
        ("side: 8", "2: side"),
        ("side: []", "2: side"),
        ("side: [8, 0]", r"2: side\[1\]"),
        ("channels: ['16-32']", r"2: channels\[0\]"),
    ],
)
def test_a_mistake_in_a_file_is_shown(tmp_path: Path, line: str, place: str) -> None:
    file = tmp_path / "grid.yml"
    file.write_text(f"kernel: [3]\n{line}\n")
    with pytest.raises(DataFileError, match=rf"grid\.yml:{place}"):
        load(file, Grid)


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(legal_cases(), unique=True, min_size=1, max_size=40), st.integers(1, 9))
def test_shards_are_disjoint_complete_and_balanced(cases: list[ConvCase], count: int) -> None:
    shards = [cases_of(Shard(number, count), cases) for number in range(1, count + 1)]
    assert sorted(map(repr, chain(*shards))) == sorted(map(repr, cases))
    for shard in shards:
        assert shard == [case for case in cases if case in set(shard)]
    loads = [sum(map(cost, shard)) for shard in shards]
    assert max(loads) - min(loads) <= max(map(cost, cases))
