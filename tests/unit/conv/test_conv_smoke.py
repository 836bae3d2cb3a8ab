"""The suite of the smoke test."""

from __future__ import annotations

import pytest

from rdna1.conv.smoke import smoke_cases


def test_the_first_investigations_sizes_come_first_forward_and_backward() -> None:
    labels = [case.label for case in smoke_cases()][:8]
    assert labels == [
        f"16->32 3x3 {side}x{side} {direction}"
        for side in (32, 36, 40, 42)
        for direction in ("forward", "backward")
    ]


def test_every_common_kernel_is_there() -> None:
    kinds = {
        (c.dims, c.transposed, c.kw, c.stride, c.dilation, c.groups > 1) for c in smoke_cases()
    }
    assert kinds == {
        (2, False, 3, 1, 1, False),
        (2, False, 1, 1, 1, False),
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


def test_no_case_exceeds_either_reading_of_the_known_limit() -> None:
    for case in smoke_cases():
        assert max(*case.input_size, *case.output_size) <= 42
        assert case.workspace_bytes <= 1048576


def test_labels_tell_all_cases_apart() -> None:
    labels = [case.label for case in smoke_cases()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("side", "number"), [(None, 30), (42, 30), (41, 16), (25, 4), (24, 2), (11, 0)]
)
def test_max_side_leaves_out_larger_inputs(side: int | None, number: int) -> None:
    cases = smoke_cases(side)
    assert len(cases) == number
    assert side is None or all(case.longest_side <= side for case in cases)
