from __future__ import annotations

from typing import get_args

import pytest

pytest.importorskip("torch", reason="the worker computes with torch")

import torch

from rdna1.conv.case import ConvCase, Direction
from rdna1.conv.reference import convolve, make_inputs
from rdna1.worker.products import multiplied


@pytest.mark.parametrize("direction", get_args(Direction))
@pytest.mark.parametrize("groups", [1, 4])
def test_a_product_is_the_convolution(direction: Direction, groups: int) -> None:
    case = ConvCase(8, 12, 9, 7, 1, 1, n=3, groups=groups, direction=direction)
    inputs = make_inputs(case)
    expected, found = convolve(case, inputs), multiplied(case, inputs)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values)


def test_a_larger_kernel_is_refused() -> None:
    case = ConvCase(8, 12, 9, 7, 3, 3)
    with pytest.raises(RuntimeError, match=r"3x3 .* is not a plain matrix product"):
        multiplied(case, make_inputs(case))
