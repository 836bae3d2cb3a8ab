"""The suite of the smoke test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rdna1.conv.case import ConvCase
from rdna1.measure.smoke import SMOKE_DIRECTIONS, smoke_cases


def test_the_first_investigations_sizes_come_first_forward_and_backward() -> None:
    labels = [case.label for case in smoke_cases()][:8]
    assert labels == [
        f"16->32 3x3 {side}x{side} {direction}"
        for side in (32, 36, 40, 42)
        for direction in ("forward", "backward")
    ]


def test_every_common_kernel_is_there() -> None:
    kinds = {
        (c.dims, c.transposed, c.kw, c.stride, c.dilation, c.groups > 1)
        for c in smoke_cases()
        if c.dtype == "float32"
    }
    assert kinds == {
        (2, False, 3, 1, 1, False),
        (2, False, 1, 1, 1, False),
        (2, False, 1, 2, 1, False),
        (2, False, 4, 4, 1, False),
        (2, False, 7, 1, 1, True),
        (2, False, 3, 2, 1, False),
        (2, False, 5, 1, 1, False),
        (2, False, 7, 2, 1, False),
        (2, False, 3, 1, 1, True),
        (2, False, 3, 2, 1, True),
        (2, False, 3, 1, 2, False),
        (2, True, 2, 2, 1, False),
        (2, True, 4, 2, 1, False),
        (1, False, 3, 1, 1, False),
        (3, False, 3, 1, 1, False),
    }


ATTRIBUTES: dict[str, Callable[[ConvCase], bool]] = {
    "batches": lambda c: c.n > 1,
    "channels_last": lambda c: c.memory_format == "channels_last",
    "odd channels": lambda c: c.c_in % 2 == c.c_out % 2 == 1,
    "one channel": lambda c: c.c_in == 1,
    "downsampling of a batch": lambda c: (c.kw, c.stride) == (1, 2) and c.n > 1,
    "float16": lambda c: c.dtype == "float16",
    "bfloat16": lambda c: c.dtype == "bfloat16",
    "float16 in channels_last": lambda c: (
        (c.dtype, c.memory_format) == ("float16", "channels_last")
    ),
    "bfloat16 downsampling": lambda c: (c.dtype, c.kw, c.stride) == ("bfloat16", 1, 2),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_what_networks_are_made_of_is_there_in_both_directions(name: str) -> None:
    found = {c.direction for c in smoke_cases() if ATTRIBUTES[name](c)}
    assert found == set(SMOKE_DIRECTIONS)


def test_float32_is_first() -> None:
    dtypes = [case.dtype for case in smoke_cases()]
    assert dtypes == sorted(dtypes, key=["float32", "float16", "bfloat16"].index)


def test_no_case_exceeds_either_reading_of_the_known_limit() -> None:
    for case in smoke_cases():
        assert max(*case.input_size, *case.output_size) <= 42
        assert case.workspace_bytes <= 1048576


def test_labels_tell_all_cases_apart() -> None:
    labels = [case.label for case in smoke_cases()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("side", "number"), [(None, 70), (42, 70), (41, 54), (25, 24), (24, 22), (11, 0)]
)
def test_max_side_leaves_out_larger_inputs(side: int | None, number: int) -> None:
    cases = smoke_cases(side)
    assert len(cases) == number
    assert side is None or all(case.longest_side <= side for case in cases)
