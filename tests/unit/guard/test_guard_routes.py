"""Other routes than MIOpen: torch's own im2col, and plain matrix products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.guard import Envelope, Pair
from rdna1.guard.convolution import convolve
from rdna1.guard.layer import Layer
from rdna1.guard.plan import BYPASS, MATMUL, SPLIT, WHOLE, Plan
from rdna1.guard.setting import Guard
from support.examples import examples
from support.guarded import Backend

WIDE = Pair(None, None)


def plan_of(envelope: Envelope, kernel: int, **options: Any) -> list[Plan]:
    """Plans of a layer and its gradients, whose values are compared with torch's."""
    plans: list[Plan] = []

    def record(_: Layer, plan: Plan) -> None:
        plans.append(plan)

    x = torch.rand(2, 8, 20, 20, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(4, 8, kernel, kernel, dtype=torch.float64, requires_grad=True)
    expected = F.conv2d(x, weight, **options)
    actual = convolve(Guard(envelope, record=record), 2, x, weight, **options)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-11)
    pairs = zip(
        torch.autograd.grad(actual.square().sum(), (x, weight)),
        torch.autograd.grad(expected.square().sum(), (x, weight)),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-9)
    return plans


# Even one product of one channel needs more.
NOTHING = Envelope(max_workspace_bytes=1)


def test_a_bypass_takes_whole_what_no_pieces_can_compute() -> None:
    plans = plan_of(replace(NOTHING, bypass=WIDE), 3, padding=1)
    assert {(plan.kind, plan.route) for plan in plans} == {(WHOLE, BYPASS)}


def test_tiles_are_cheaper_than_a_bypass_where_they_are_large() -> None:
    assert plan_of(Envelope(19, bypass=WIDE), 3, padding=1)[0].route != BYPASS


def test_the_backend_is_off_inside_a_bypass_alone() -> None:
    enabled: list[bool] = []

    def seen(*_: Any) -> None:
        enabled.append(torch.backends.cudnn.enabled)

    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    with Backend(seen):
        convolve(Guard(replace(NOTHING, bypass=WIDE)), 2, x, weight)
        convolve(Guard(Envelope(19)), 2, x, weight)
    assert not enabled[0] and all(enabled[1:])
    assert torch.backends.cudnn.enabled


def test_pieces_of_a_bypass_keep_its_own_limits() -> None:
    sizes: list[int] = []

    def seen(x: torch.Tensor, *_: Any) -> None:
        sizes.append(max(x.shape[2:]))

    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    with Backend(seen):
        actual = convolve(Guard(replace(NOTHING, bypass=Pair(8, None))), 2, x, weight)
    torch.testing.assert_close(actual, F.conv2d(x, weight))
    assert max(sizes) == 8


@pytest.mark.parametrize("limits", [WIDE, Pair(4, None), Pair(None, 8 * 8 * 5)])
def test_one_pixel_kernels_are_matrix_products(limits: Pair) -> None:
    plans = plan_of(replace(NOTHING, matmul=limits), 1)
    assert {(plan.kind, plan.route) for plan in plans} == {(SPLIT, MATMUL)}
    most = {WIDE: 400, Pair(4, None): 16}.get(limits, 5)
    assert {plan.pixels for plan in plans} == {most}


def test_products_do_not_compute_larger_kernels() -> None:
    assert {plan.route for plan in plan_of(Envelope(8, matmul=WIDE), 3)} == {""}


@settings(max_examples=examples(30), deadline=None)
@given(
    st.integers(1, 3),
    st.integers(0, 2),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 7, 30, 1000]),
)
def test_products_of_all_strides_paddings_and_groups(
    stride: int, padding: int, groups: int, pixels: int
) -> None:
    x = torch.rand(2, 8, 9, 7, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(4, 8 // groups, 1, 1, dtype=torch.float64, requires_grad=True)
    envelope = replace(NOTHING, matmul=Pair(None, pixels * 8 * 8))
    options: dict[str, Any] = {"stride": stride, "padding": padding, "groups": groups}
    results = [
        F.conv2d(x, weight, **options),
        convolve(Guard(envelope, strict=True), 2, x, weight, **options),
    ]
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=1e-11)
    grads = [torch.autograd.grad(each.square().sum(), (x, weight)) for each in results]
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-9)
