from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import forward_ad

from rdna1 import guard
from rdna1.guard import Envelope, autograd, gather, plan, steps, tiles
from rdna1.guard.convolution import convolve
from rdna1.guard.geometry import Geometry
from rdna1.guard.layer import Layer
from rdna1.guard.plan import CPU, NATIVE, SPLIT, Plan
from rdna1.guard.setting import Guard
from support.examples import examples
from support.guarded import (
    MISTAKES,
    Backend,
    Call,
    assert_same,
    calls,
    envelopes,
    neighbours_moved_at_once,
    padded_in_halves,
    planted,
)

pytestmark = [
    # torch says so of its own code and of even kernels.
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning"),
]
MEMORY = st.sampled_from([1, 2000, 10_000_000])


@settings(max_examples=examples(60), deadline=None)
@given(calls(), envelopes(), MEMORY)
def test_values_and_gradients_are_those_of_torch(
    call: Call, envelope: Envelope, memory: int
) -> None:
    assert_same(call, Guard(envelope, memory_bytes=memory))


@settings(max_examples=examples(30), deadline=None)
@given(calls(), envelopes(), MEMORY)
def test_padded_copies_in_halves_give_the_same(call: Call, envelope: Envelope, memory: int) -> None:
    with padded_in_halves():
        assert_same(call, Guard(envelope, memory_bytes=memory))


def test_large_padded_copies_alone_are_made_in_halves() -> None:
    slices = []
    for images in (2, 5):
        layer = Layer("forward", images, 128, 8, (112, 112), (3, 3), (1, 1), (1, 1), (1, 1), 1)
        axes = plan.result_axes(layer, (40, 40))
        (block,) = tiles.blocks(images, axes, 100)
        shape = (images, 128, 112, 112)
        found = gather.gather(shape, (0, 128), axes, block, channels_last=False, itemsize=4)
        # The map, a pixel of padding, and what the last tile is larger than what is left.
        assert found.padded == images * 128 * 122 * 122 // len(found.slices)
        slices.append(len(found.slices))
    assert slices == [1, 2]


@settings(max_examples=examples(30), deadline=None)
@given(calls(), envelopes(), MEMORY)
def test_small_elements_move_with_their_neighbours(
    call: Call, envelope: Envelope, memory: int
) -> None:
    small = [each.detach().float().requires_grad_() for each in call.inputs]
    x, weight, *bias = small
    with neighbours_moved_at_once():
        guarded = call._replace(x=x, weight=weight, bias=bias[0] if bias else None).guarded(
            Guard(envelope, False, memory)
        )
        gradients = torch.autograd.grad(guarded.square().sum(), small)
    native = call.native()
    torch.testing.assert_close(guarded.double(), native, rtol=0, atol=1e-4)
    for one, other in zip(
        torch.autograd.grad(native.square().sum(), call.inputs), gradients, strict=True
    ):
        torch.testing.assert_close(other.double(), one, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("width", [20, 21, 22, 24])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_four_elements_of_two_bytes_move_at_once(width: int, order: torch.memory_format) -> None:
    # Whole numbers up to 144, which bfloat16 has.
    x = torch.randint(2, (2, 16, 16, width)).bfloat16().contiguous(memory_format=order)
    weight = torch.ones(8, 16, 3, 3).bfloat16()
    for envelope in (Envelope(8), Envelope(limits=(guard.Limit("height", 8),))):
        # The second image begins where no eight bytes do.
        for images in (x, x[1:], torch.cat([x.flatten()[:1], x.flatten()])[1:].view_as(x)):
            with neighbours_moved_at_once():
                actual = guard.conv2d(images, weight, padding=1, envelope=envelope)
            assert torch.equal(actual, F.conv2d(images, weight, padding=1))


@pytest.mark.parametrize(("rows", "width"), [(2**20 - 1, 2), (2**20, 8)])
def test_large_copies_alone_move_neighbours_at_once(rows: int, width: int) -> None:
    halves = tiles.View((rows, 4), (8, 1), 0)
    assert tiles.copy_of(halves, halves, 2).width == width


@settings(max_examples=examples(60), deadline=None)
@given(calls(), st.sampled_from([3, 5, 8]), st.sampled_from([None, 3000]), MEMORY)
def test_nothing_outside_the_envelope_reaches_the_backend(
    call: Call, side: int, workspace: int | None, memory: int
) -> None:
    on_cpu = False

    def record(_: Any, made: Plan) -> None:
        nonlocal on_cpu
        on_cpu = on_cpu or made.kind == CPU

    sizes: list[tuple[int, int]] = []

    def seen(x: Tensor, weight: Tensor, _: Tensor | None, *options: Any) -> None:
        stride, padding, dilation, is_transposed, output_padding, groups = options
        small = x.shape[2:]
        large = [
            (side - 1) * s - 2 * p + d * (k - 1) + 1 + e
            for side, s, p, d, k, e in zip(
                small, stride, padding, dilation, weight.shape[2:], output_padding, strict=True
            )
        ]
        out = [
            (side + 2 * p - d * (k - 1) - 1) // s + 1
            for side, s, p, d, k in zip(
                small, stride, padding, dilation, weight.shape[2:], strict=True
            )
        ]
        positions = small if is_transposed else out
        channels = weight.shape[1] if is_transposed else x.shape[1] // groups
        columns = channels * groups * weight[0, 0].numel() * torch.Size(positions).numel()
        sizes.append((max(large if is_transposed else small), columns * x.element_size()))

    guarded = Guard(Envelope(side, workspace), memory_bytes=memory, record=record)
    with Backend(seen):
        torch.autograd.backward(call.guarded(guarded).sum())
    assert sizes
    if not on_cpu:
        assert max(each for each, _ in sizes) <= side
        assert workspace is None or max(each for _, each in sizes) <= workspace


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_mistake_is_noticed(mistake: str) -> None:
    x = torch.rand(2, 3, 20, 20, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(4, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    call = Call(2, False, x, weight, None, {"padding": 1})
    assert_same(call, Guard(Envelope(8)))
    with planted(mistake), pytest.raises(AssertionError, match="not close"):
        assert_same(call, Guard(Envelope(8)))


def plain(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x, weight, padding=1)


def guarded(x: Tensor, weight: Tensor) -> Tensor:
    return convolve(Guard(Envelope(5)), 2, x, weight, padding=1)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f, x, w: torch.func.vmap(f, (0, None))(x, w),
        lambda f, x, w: torch.func.vmap(f, (None, 0))(x[0], torch.stack([w, 2 * w])),
        lambda f, x, w: torch.func.vmap(f, (1, 0))(x.movedim(0, 1), torch.stack([w] * 3)),
        lambda f, x, w: torch.func.vmap(torch.func.grad(lambda x, w: f(x, w).square().sum()))(
            x, torch.stack([w] * 3)
        ),
        lambda f, x, w: torch.func.jvp(f, (x[0], w), (x[1], w + 1))[1],
        lambda f, x, w: torch.func.hessian(lambda w: f(x[0], w).square().sum())(w),
    ],
    ids=["images", "weights", "both", "gradients", "tangents", "hessian"],
)
def test_function_transforms_give_what_torch_gives(transform: Any) -> None:
    x = torch.rand(3, 2, 2, 9, 9, dtype=torch.float64)
    weight = torch.rand(3, 2, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(
        transform(guarded, x, weight), transform(plain, x, weight), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sums_of_channels_are_rounded_once(dtype: torch.dtype) -> None:
    x, weight = torch.rand(1, 64, 6, 6).to(dtype), torch.rand(4, 64, 3, 3).to(dtype)
    # Even one row of the output needs more: the input channels are summed in pieces.
    envelope = Envelope(max_workspace_bytes=8 * 9 * 2)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    actual = guard.conv2d(x, weight, padding=1, envelope=envelope)
    assert actual.dtype == dtype
    unit = torch.finfo(dtype).eps
    # Eight sums of 72 products in float32, each rounded to the dtype once, and the result.
    torch.testing.assert_close(actual.double(), exact, rtol=3 * unit, atol=0)


def test_autocast_casts_as_torch_does() -> None:
    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = F.conv2d(x, weight)
        actual = guard.conv2d(x, weight, envelope=Envelope(8))
    assert actual.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("shape", [(0, 3, 20, 20), (3, 20, 20)])
def test_batches_of_none_and_unbatched_inputs(shape: tuple[int, ...]) -> None:
    x, weight = torch.rand(shape), torch.rand(4, 3, 3, 3)
    actual = guard.conv2d(x, weight, torch.rand(4) * 0, padding="same", envelope=Envelope(8))
    torch.testing.assert_close(actual, F.conv2d(x, weight, padding="same"))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes_of_modules(
    mode: Literal["zeros", "reflect", "replicate", "circular"],
) -> None:
    layer = torch.nn.Conv2d(3, 4, 3, padding=2, padding_mode=mode)
    x = torch.rand(2, 3, 20, 20)
    expected = layer(x)
    with guard.active(Envelope(8)):
        torch.testing.assert_close(layer(x), expected)


def test_forward_mode_without_a_transform() -> None:
    x, weight = torch.rand(1, 2, 9, 9), torch.rand(3, 2, 3, 3)
    tangents = []
    for convolution in (plain, guarded):
        with forward_ad.dual_level():
            result = convolution(forward_ad.make_dual(x, x + 1), weight)  # type: ignore[no-untyped-call]
            tangents.append(forward_ad.unpack_dual(result).tangent)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(*tangents)


def test_without_derivatives_no_autograd_function_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before torch 2.0 its ``forward`` has another signature, too."""
    monkeypatch.setattr(autograd._Output, "forward", None)
    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    actual = guard.conv2d(x, weight, envelope=Envelope(8))
    torch.testing.assert_close(actual, F.conv2d(x, weight))


def test_a_result_may_be_changed_in_place() -> None:
    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3).requires_grad_()
    expected = F.conv2d(x, weight).sub_(1).relu_()
    actual = guard.conv2d(x, weight, envelope=Envelope(8)).sub_(1).relu_()
    torch.testing.assert_close(actual, expected)
    by_guard, by_torch = (torch.autograd.grad(y.sum(), weight) for y in (actual, expected))
    torch.testing.assert_close(by_guard, by_torch)


def test_inference_mode() -> None:
    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    with torch.inference_mode():
        actual = guard.conv2d(x, weight, envelope=Envelope(8))
    assert actual.is_inference()
    torch.testing.assert_close(actual, F.conv2d(x, weight))


def test_a_gradient_of_one_value_for_all_pixels_is_expanded() -> None:
    x = torch.rand(1, 3, 20, 20, requires_grad=True)
    weight = torch.rand(4, 3, 3, 3)
    torch.autograd.backward(guard.conv2d(x, weight, envelope=Envelope(8)).sum())
    assert x.grad is not None
    by_guard, x.grad = x.grad, None
    torch.autograd.backward(F.conv2d(x, weight).sum())
    torch.testing.assert_close(by_guard, x.grad)


def test_what_no_pieces_can_compute_is_computed_by_the_cpu_with_a_warning() -> None:
    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    with pytest.warns(guard.FallbackWarning, match=r"conv2d 3->4 3x3 .* side 20 above 2") as said:
        actual = guard.conv2d(x, weight, envelope=Envelope(2))
    assert said[0].filename == __file__
    torch.testing.assert_close(actual, F.conv2d(x, weight))


def test_a_strict_guard_refuses_what_no_pieces_can_compute() -> None:
    layer = torch.nn.Conv2d(3, 4, 3)
    with (
        guard.active(Envelope(2), strict=True),
        pytest.raises(guard.OutsideEnvelopeError, match="side 20 above 2"),
    ):
        layer(torch.rand(1, 3, 20, 20))


def test_channels_fit_where_tiles_do_not() -> None:
    made = guard_plan(Envelope(max_workspace_bytes=9 * 4 * 5))
    assert made.kind == SPLIT
    # One pixel of the output needs eight input channels times nine, more than is allowed.
    assert made.c_in < 8


def guard_plan(envelope: Envelope) -> Plan:
    plans: list[Plan] = []
    x, weight = torch.rand(1, 8, 5, 5), torch.rand(4, 8, 3, 3)
    guarded = Guard(envelope, record=lambda _, plan: plans.append(plan))
    expected = F.conv2d(x, weight, padding=1)
    torch.testing.assert_close(convolve(guarded, 2, x, weight, padding=1), expected)
    return plans[0]


def test_what_is_inside_runs_as_it_is() -> None:
    assert guard_plan(Envelope(5)).kind == NATIVE


@pytest.mark.parametrize(
    "arguments",
    [
        {"padding": "full"},
        {"padding": "same", "stride": 2},
        {"groups": 2},
        {"stride": 0},
        {"dilation": 40},
        {"bias": torch.rand(3)},
        {"bias": torch.rand(1)},
        {"padding": -1},
        {"stride": (1, 1, 1)},
    ],
)
def test_illegal_arguments_are_refused_as_torch_refuses_them(arguments: dict[str, Any]) -> None:
    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    with pytest.raises((RuntimeError, ValueError)) as expected:
        F.conv2d(x, weight, **arguments)
    with pytest.raises(type(expected.value)):
        guard.conv2d(x, weight, **arguments, envelope=Envelope(8))


def test_integers_are_left_to_torch() -> None:
    x, weight = torch.ones(1, 1, 9, 9, dtype=torch.int64), torch.ones(1, 1, 3, 3, dtype=torch.int64)
    actual = guard.conv2d(x, weight, envelope=Envelope(4))
    assert actual.dtype == torch.int64 and (actual == 9).all()


# The last column: what the first of two calls takes, of five images, five rows and three columns.
@pytest.mark.parametrize(
    ("per_call", "first_call"),
    [*((number, 0) for number in (1, 2, 3, 7, 14, 16, 100)), (36, 45), (20, 60), (30, 50)],
)
def test_blocks_cover_all_tiles_once(per_call: int, first_call: int) -> None:
    axes = plan.result_axes(
        Geometry((20, 13), (3, 3), (1, 1), (1, 1), (1, 1), 1, False, Guard(Envelope())).layer(
            "forward", 5, 1, 1, torch.float32, channels_last=False
        ),
        (4, 5),
    )
    found = list(tiles.blocks(5, axes, per_call, first_call))
    if first_call:
        first, second = (b.images[1] * b.tiles[0][1] * b.tiles[1][1] for b in found)
        assert (first, second) == (first_call, 75 - first_call)
    assert sorted(
        (image, row, column)
        for block in found
        for image in range(block.images[0], sum(block.images))
        for row in range(block.tiles[0][0], sum(block.tiles[0]))
        for column in range(block.tiles[1][0], sum(block.tiles[1]))
    ) == [(i, r, c) for i in range(5) for r in range(5) for c in range(3)]


def test_of_two_calls_the_first_takes_more_and_both_stay_in_the_memory() -> None:
    mib = 2**20
    layer = Layer("forward", 8, 128, 256, (112, 112), (3, 3), (2, 2), (1, 1), (1, 1), 1)
    planned = plan.make_plan(layer, Envelope(42), 64 * mib)
    assert planned.first_call * 8 == planned.tiles * 5
    # In equal halves it would be 42 MiB of tiles next to source and result.
    assert plan.extra_bytes(layer, planned) < 32 * mib
    # Two images are one for each call: 64 MiB are enough for that.
    two = Layer("forward", 2, 256, 256, (128, 128), (3, 3), (1, 1), (1, 1), (1, 1), 1)
    planned_two = plan.make_plan(two, Envelope(42), 64 * mib)
    assert planned_two.first_call == 16
    # What the first gave waits, where it is less than the whole result next to the second's tiles.
    assert steps.program_of(two, planned_two).is_late
    small_rest = two._replace(n=8, c_in=64, c_out=128, size=(112, 112))
    planned_rest = plan.make_plan(small_rest, Envelope(42), 64 * mib)
    assert not steps.program_of(small_rest, planned_rest).is_late
    # Two calls would be too large.
    large = Layer("forward", 8, 128, 128, (224, 224), (3, 3), (1, 1), (1, 1), (1, 1), 1)
    assert plan.make_plan(large, Envelope(42), 128 * mib).first_call == 0
    # These would take three equal calls.
    one = Layer("forward", 1, 128, 128, (512, 512), (3, 3), (1, 1), (1, 1), (1, 1), 1)
    assert plan.make_plan(one, Envelope(42), 128 * mib).first_call > 0
