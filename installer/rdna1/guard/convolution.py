"""The convolutions of ``torch.nn.functional`` for maps of any size inside an envelope."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from . import autograd
from .call import Call, call_of
from .call_site import caller
from .geometry import Geometry, Sizes, is_channels_last
from .layer import Layer
from .native import CAN_RECORD, recorded
from .plan import Plan
from .setting import Guard

_Tensors = tuple[Tensor, Tensor, Tensor | None]

_PLAIN = (F.conv1d, F.conv2d, F.conv3d)
_TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_INTERNAL = (f"{__package__}.", "torch.")
_ASKS_BY_DEVICE = hasattr(torch, "get_autocast_dtype")


class OutsideEnvelopeError(RuntimeError):
    """A convolution that no pieces inside the envelope can compute; names layer and limit."""


class FallbackWarning(RuntimeWarning):
    """A convolution that runs elsewhere or outside the envelope; names layer and reason."""


def convolve(
    guard: Guard,
    dims: int,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Compute a convolution of one to three dimensions as ``torch.nn.functional`` does.

    Raises:
        OutsideEnvelopeError: a strict guard, and no pieces inside the envelope compute it.
    """
    native = _PLAIN[dims - 1]
    cast = _autocast(x, weight, bias)
    call = cast and _call(guard, dims, cast, stride, padding, dilation, groups)
    if not cast or not call:
        return native(x, weight, bias, stride, padding, dilation, groups)
    x, weight, bias = cast
    if padding == "same":
        x = _padded_after(x, call.geometry.size)
    if not _needs_pieces(guard, call, x, weight):
        arguments = x, weight, bias, stride, call.geometry.padding, dilation, groups
        if guard.flight:
            return recorded(guard.flight, guard.envelope, call.layer, lambda: native(*arguments))
        return native(*arguments)
    images = x if x.dim() == dims + 2 else x.unsqueeze(0)
    result = _with_bias(autograd.apply(call.layer, images, weight, _seen(guard, call)), bias)
    return result if images is x else result.squeeze(0)


def convolve_transposed(
    guard: Guard,
    dims: int,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """Compute a transposed convolution of one to three dimensions likewise.

    Raises:
        OutsideEnvelopeError: a strict guard, and no pieces inside the envelope compute it.
    """
    native = _TRANSPOSED[dims - 1]
    cast = _autocast(x, weight, bias)
    call = cast and _call(guard, dims, cast, stride, padding, dilation, groups, output_padding)
    if not cast or not call:
        return native(x, weight, bias, stride, padding, output_padding, groups, dilation)
    x, weight, bias = cast
    if not _needs_pieces(guard, call, x, weight):
        arguments = x, weight, bias, stride, padding, output_padding, groups, dilation
        if guard.flight:
            return recorded(guard.flight, guard.envelope, call.layer, lambda: native(*arguments))
        return native(*arguments)
    # With output padding of a stride or more (legal below the dilation), the plain convolution
    # has more pixels than this one's input: they are zero.
    images = _padded_after(x if x.dim() == dims + 2 else x.unsqueeze(0), call.layer.output_size)
    result = _with_bias(autograd.apply(call.layer, images, weight, _seen(guard, call)), bias)
    return result if x.dim() == dims + 2 else result.squeeze(0)


def _call(
    guard: Guard,
    dims: int,
    tensors: _Tensors,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    output_padding: Sizes | None = None,
) -> Call | None:
    """Return what pieces can compute; None where torch itself computes it or says what is wrong."""
    x, weight, bias = tensors
    is_grad = torch.is_grad_enabled()
    return call_of(
        guard,
        dims,
        x.shape,
        weight.shape,
        None if bias is None else bias.shape,
        *map(_key, (stride, padding, dilation)),
        groups,
        _key(output_padding),
        x.dtype,
        is_channels_last(x, dims),
        x.device,
        is_grad and x.requires_grad,
        is_grad and weight.requires_grad,
    )


def _seen(guard: Guard, call: Call) -> Geometry:
    """Return a call's geometry, with the place of the program where a recorder is told of it."""
    return call.geometry._replace(site=caller()) if guard.flight else call.geometry


def _key(sizes: Any) -> Any:
    """Return sizes as what a cache can look for."""
    return sizes if isinstance(sizes, (int, str, tuple, type(None))) else tuple(sizes)


def _needs_pieces(guard: Guard, call: Call, x: Tensor, weight: Tensor) -> bool:
    """Tell whether a call or a gradient of it that will run is not allowed as it is.

    Raises:
        OutsideEnvelopeError: a strict guard, and one cannot be computed inside the envelope.
    """
    for layer, plan in call.on_cpu:
        _complain(guard, layer, plan)
    if not call.is_native or autograd.is_transformed(x, weight):
        return True
    if guard.flight and not CAN_RECORD:
        # Gradients that torch computes by itself would not be in it.
        return True
    if guard.record:
        for layer, plan in call.runs:
            guard.record(layer, plan)
    return False


def _complain(guard: Guard, layer: Layer, plan: Plan) -> None:
    what = f"{layer.label}: {plan.reason}, and no pieces of it are inside the envelope"
    if guard.strict:
        raise OutsideEnvelopeError(what)
    warnings.warn(f"{what}; the CPU computes it", FallbackWarning, stacklevel=_caller_level())


def _caller_level() -> int:
    """Return the ``stacklevel`` of the program's line, for it to be warned of once."""
    frame, level = sys._getframe(1), 0
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_INTERNAL):
        frame, level = frame.f_back, level + 1
    return level + 1


def _autocast(x: Tensor, weight: Tensor, bias: Tensor | None) -> _Tensors | None:
    """Return the arguments of a convolution, cast where autocast is on and would cast them.

    Returns:
        None where pieces cannot compute with such tensors.
    """
    dtype, device = x.dtype, x.device
    is_on, wanted = _autocast_state(device.type)
    for each in (x, weight) if bias is None else (x, weight, bias):
        if each.layout != torch.strided or each.dtype not in _DTYPES or each.device != device:
            return None
        if each.dtype != dtype and not is_on:
            return None
    if not is_on:
        return x, weight, bias

    def cast(tensor: Tensor) -> Tensor:
        return tensor if tensor.dtype == torch.float64 else tensor.to(wanted)

    return cast(x), cast(weight), None if bias is None else cast(bias)


def _autocast_state(device: str) -> tuple[bool, torch.dtype]:
    """Return whether autocast is on for a device, and to what it casts."""
    if device == "meta":
        # It has no autocast, and torch raises an error when it is asked for it.
        return False, torch.float32
    if _ASKS_BY_DEVICE:
        is_on = torch.is_autocast_enabled(device)
        return is_on, torch.get_autocast_dtype(device) if is_on else torch.float32
    # Before torch 2.4 there was a pair of functions for each device.
    if device == "cpu":
        return torch.is_autocast_cpu_enabled(), torch.get_autocast_cpu_dtype()
    return torch.is_autocast_enabled(), torch.get_autocast_gpu_dtype()


def _padded_after(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return a tensor with zeros after its last dimensions, as many as are missing in a size."""
    missing = [side - has for side, has in zip(size, x.shape[-len(size) :], strict=True)]
    if not any(missing):
        return x
    return F.pad(x, [side for after in reversed(missing) for side in (0, after)])


def _with_bias(result: Tensor, bias: Tensor | None) -> Tensor:
    return result if bias is None else result + bias.view(-1, *[1] * (result.dim() - 2))
