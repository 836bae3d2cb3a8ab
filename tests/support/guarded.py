"""Legal convolutions drawn at random, and a look at what reaches torch's backend."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from rdna1.guard import Envelope, FallbackWarning, Limit, Pair, gather, steps, tiles
from rdna1.guard.axis import Axis
from rdna1.guard.convolution import convolve, convolve_transposed
from rdna1.guard.layer import Layer
from rdna1.guard.plan import result_axes
from rdna1.guard.setting import Guard

PLAIN = (F.conv1d, F.conv2d, F.conv3d)
TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)

# float64 sums of a few hundred products below 1 in another order.
_CLOSE = 1e-11
# What a wrong axis of tiles would be: a halo one pixel too small, the padding applied to each tile
# in place of the map, none at all, tiles that do not adjoin, a lost last pixel.
MISTAKES: dict[str, Callable[[Axis], Axis]] = {
    "halo": lambda axis: axis._replace(before=axis.before - 1),
    "padding": lambda axis: axis._replace(before=0, padding=max(axis.before, axis.padding)),
    "no padding": lambda axis: axis._replace(before=0),
    "crop": lambda axis: axis._replace(step=axis.step - 1),
    "last tile": lambda axis: axis._replace(source=axis.source - 1),
}


class Call(NamedTuple):
    """A legal call of one of torch's convolutions."""

    dims: int
    transposed: bool
    x: Tensor
    weight: Tensor
    bias: Tensor | None
    options: dict[str, Any]

    def native(self) -> Tensor:
        """What torch returns."""
        functions = TRANSPOSED if self.transposed else PLAIN
        result: Tensor = functions[self.dims - 1](self.x, self.weight, self.bias, **self.options)
        return result

    def guarded(self, guard: Guard) -> Tensor:
        """What the guard returns; the CPU may compute what no pieces can."""
        compute = convolve_transposed if self.transposed else convolve
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FallbackWarning)
            return compute(guard, self.dims, self.x, self.weight, self.bias, **self.options)

    def to(self, device: torch.device) -> Call:
        """The same call on another device."""
        moved = [each.detach().to(device).requires_grad_() for each in self.inputs]
        x, weight, *bias = moved
        return self._replace(x=x, weight=weight, bias=bias[0] if bias else None)

    @property
    def inputs(self) -> list[Tensor]:
        """Tensors with a gradient."""
        return [each for each in (self.x, self.weight, self.bias) if each is not None]


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Draw a call: dimensions, sizes, strides, dilations, paddings, groups, memory format."""
    dims, transposed = draw(st.sampled_from([1, 2, 2, 3])), draw(st.booleans())

    def by_axis(least: int, most: int) -> list[int]:
        return draw(st.lists(st.integers(least, most), min_size=dims, max_size=dims))

    kernel, stride, dilation, padding = by_axis(1, 4), by_axis(1, 4), by_axis(1, 3), by_axis(0, 3)
    size = by_axis(1, 16 if dims < 3 else 7)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inputs, outputs = groups * draw(st.integers(1, 4)), groups * draw(st.integers(1, 4))
    options: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups}
    for axis in range(dims):
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        if transposed:
            padding[axis] = min(padding[axis], ((size[axis] - 1) * stride[axis] + reach - 1) // 2)
        else:
            size[axis] = max(size[axis], reach - 2 * padding[axis])
    options["padding"] = padding
    if transposed:
        options["output_padding"] = [
            draw(st.integers(0, max(step, apart) - 1))
            for step, apart in zip(stride, dilation, strict=True)
        ]
    elif draw(st.booleans()):
        options |= {"padding": "same", "stride": 1}
    shape = [draw(st.integers(1, 3)), inputs, *size]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9)))

    def tensor(*sizes: int) -> Tensor:
        return torch.rand(sizes, generator=generator, dtype=torch.float64) - 0.5

    x = tensor(*(shape if draw(st.integers(0, 4)) else shape[1:]))
    if dims > 1 and x.dim() == dims + 2 and draw(st.booleans()):
        order = torch.channels_last if dims == 2 else torch.channels_last_3d
        x = x.contiguous(memory_format=order)
    channels = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
    bias = tensor(outputs) if draw(st.booleans()) else None
    call = Call(dims, transposed, x, tensor(*channels, *kernel), bias, options)
    for each in call.inputs:
        each.requires_grad_()
    return call


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    """Draw an envelope: two keys, a pair of their own for gradients, or finer limits."""
    sides, workspaces = st.sampled_from([None, 3, 5, 8]), st.sampled_from([None, 600, 3000, 9000])
    pair = Pair(draw(sides), draw(workspaces))
    backward = draw(st.sampled_from([None, Pair(4, None), Pair(None, 4000)]))
    limits: tuple[Limit, ...] = ()
    if draw(st.integers(0, 2)) == 0:
        quantities = ["area", "height", "width", "shorter side", "input elements"]
        names = st.sampled_from([*quantities, "output elements", "work"])
        when = st.sampled_from([(), (("groups", (1,)),), (("direction", ("forward",)),)])
        limit = st.builds(Limit, names, st.sampled_from([20, 60, 200, 1000]), when)
        limits = tuple(draw(st.lists(limit, min_size=1, max_size=2)))
    routes = st.sampled_from([None, None, Pair(None, None), Pair(4, None), Pair(None, 700)])
    return Envelope(
        *pair, backward=backward, limits=limits, bypass=draw(routes), matmul=draw(routes)
    )


def assert_same(call: Call, guarded: Guard) -> None:
    """Values, gradients and gradients of gradients are those of torch."""
    expected, actual = call.native(), call.guarded(guarded)
    torch.testing.assert_close(actual, expected, rtol=0, atol=_CLOSE)
    generator = torch.Generator().manual_seed(1)
    grad = torch.rand(expected.shape, generator=generator, dtype=expected.dtype)
    grad = grad.to(expected.device).requires_grad_()
    gradients = [
        torch.autograd.grad(each, call.inputs, grad, create_graph=True)
        for each in (expected, actual)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=_CLOSE)
    again = [
        torch.autograd.grad(
            each[0].square().sum() + each[1].square().sum(), [*call.inputs[:2], grad]
        )
        for each in gradients
    ]
    for one, other in zip(*again, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-10, atol=1e-9)


@contextlib.contextmanager
def planted(mistake: str) -> Iterator[None]:
    """Make one of `MISTAKES` in the ``with`` block."""
    change = MISTAKES[mistake]

    def wrong(layer: Layer, tile: tuple[int, ...]) -> tuple[Axis, ...]:
        return tuple(map(change, result_axes(layer, tile)))

    with mock.patch.object(steps, "result_axes", wrong), _computed_anew():
        yield


@contextlib.contextmanager
def padded_in_halves() -> Iterator[None]:
    """Have every padded copy made in two halves, not large ones alone, in the ``with`` block."""
    with mock.patch.object(gather, "_LARGE_BYTES", 0), _computed_anew():
        yield


@contextlib.contextmanager
def neighbours_moved_at_once() -> Iterator[None]:
    """Have all copies move neighbours at once, not large ones alone, in the ``with`` block."""
    with mock.patch.object(tiles, "_WIDE_COPY_BYTES", 0), _computed_anew():
        yield


@contextlib.contextmanager
def _computed_anew() -> Iterator[None]:
    """Keep no plan's calls from before the ``with`` block, nor afterwards those from within."""
    caches = steps.program_of, steps.sums_of
    for each in caches:
        each.cache_clear()
    try:
        yield
    finally:
        for each in caches:
            each.cache_clear()


class Backend(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hands each call of a convolution that reaches torch's backend to a function.

    The function gets the input, the weight, the output's gradient or None, and stride, padding,
    dilation, whether it is transposed, output padding and groups.
    """

    def __init__(self, seen: Callable[..., None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self._seen(args[0], args[1], None, *args[3:9])
        elif func is torch.ops.aten.convolution_backward.default:
            self._seen(args[1], args[2], args[0], *args[4:10])
        return func(*args, **(kwargs or {}))
