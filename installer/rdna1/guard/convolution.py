"""The convolutions of ``torch.nn.functional`` for maps of any size inside an envelope."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from . import autograd
from .autograd import Geometry
from .call_site import caller
from .layer import FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, Layer
from .native import CAN_RECORD, run
from .plan import CPU, NATIVE, Plan
from .setting import Guard

Sizes = int | Sequence[int]

_PLAIN = (F.conv1d, F.conv2d, F.conv3d)
_TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_INTERNAL = (f"{__package__}.", "torch.")


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
    strides, dilations = _tuple(stride, dims), _tuple(dilation, dims)
    if not _is_covered(dims, x, weight, bias, weight.shape[0]) or not _is_legal(
        x.shape[-dims - 1], weight, strides, padding, dilations, groups
    ):
        return native(x, weight, bias, stride, padding, dilation, groups)
    x, weight, bias = _autocast(x, weight, bias)
    inside, x_padded = _padding(x, weight, padding, dilations)
    geometry = Geometry(
        tuple(x_padded.shape[-dims:]),
        tuple(weight.shape[2:]),
        strides,
        inside,
        dilations,
        groups,
        False,
        guard,
        caller() if guard.flight else "",
    )
    images = x_padded if x.dim() == dims + 2 else x_padded.unsqueeze(0)
    layer = geometry.layer(FORWARD, len(images), images.shape[1], weight.shape[0], images)
    if min(layer.output_size) < 1 or not _needs_pieces(guard, layer, images, weight):
        arguments = x_padded, weight, bias, stride, inside, dilation, groups
        return run(guard, layer, geometry.site, lambda: native(*arguments))
    result = _with_bias(autograd.apply(layer, images, weight, geometry), bias)
    return result if images is x_padded else result.squeeze(0)


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
    sizes = [_tuple(size, dims) for size in (stride, padding, output_padding, dilation)]
    strides, paddings, extra, dilations = sizes
    reversed_weight = weight.transpose(0, 1) if weight.dim() > 1 else weight
    if (
        not _is_covered(dims, x, weight, bias, weight.shape[1] * groups)
        or not _is_legal(x.shape[-dims - 1], reversed_weight, strides, paddings, dilations, 1)
        or weight.shape[0] % max(groups, 1)
        or groups < 1
        or any(not 0 <= e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=False))
    ):
        return native(x, weight, bias, stride, padding, output_padding, groups, dilation)
    x, weight, bias = _autocast(x, weight, bias)
    kernel = tuple(weight.shape[2:])
    size = tuple(
        (side - 1) * s - 2 * p + d * (k - 1) + 1 + e
        for side, s, p, e, d, k in zip(
            x.shape[-dims:], strides, paddings, extra, dilations, kernel, strict=True
        )
    )
    geometry = Geometry(
        size,
        kernel,
        strides,
        paddings,
        dilations,
        groups,
        True,
        guard,
        caller() if guard.flight else "",
    )
    images = x if x.dim() == dims + 2 else x.unsqueeze(0)
    c_in = weight.shape[1] * groups
    layer = geometry.layer(INPUT_GRADIENT, len(images), c_in, images.shape[1], images)
    if min(size) < 1 or not _needs_pieces(guard, layer, images, weight):
        arguments = x, weight, bias, stride, padding, output_padding, groups, dilation
        return run(guard, layer, geometry.site, lambda: native(*arguments))
    # With output padding of a stride or more (legal below the dilation), the plain convolution
    # has more pixels than this one's input: they are zero.
    missing = [out - side for out, side in zip(layer.output_size, images.shape[2:], strict=True)]
    if any(missing):
        images = F.pad(images, [side for pad in reversed(missing) for side in (0, pad)])
    result = _with_bias(autograd.apply(layer, images, weight, geometry), bias)
    return result if x.dim() == dims + 2 else result.squeeze(0)


def _is_covered(dims: int, x: Tensor, weight: Tensor, bias: Tensor | None, c_out: int) -> bool:
    """Tell whether a call is one that pieces can compute; torch itself refuses illegal ones."""
    tensors = [each for each in (x, weight, bias) if each is not None]
    return (
        all(each.layout == torch.strided and each.dtype in _DTYPES for each in tensors)
        and all(each.device == x.device for each in tensors)
        and (len({each.dtype for each in tensors}) == 1 or _autocast_state(x.device.type)[0])
        and (bias is None or bias.shape == (c_out,))
        and not any(each.is_quantized for each in tensors)
        and weight.dim() == dims + 2
        and x.dim() in (dims + 1, dims + 2)
        and x.numel() > 0
        and weight.numel() > 0
    )


def _is_legal(
    channels: int,
    weight: Tensor,
    stride: tuple[int, ...],
    padding: Sizes | str,
    dilation: tuple[int, ...],
    groups: int,
) -> bool:
    """Tell whether torch would take the arguments; of others it says itself what is wrong."""
    dims = weight.dim() - 2
    if isinstance(padding, str):
        if padding not in ("valid", "same") or (padding == "same" and set(stride) != {1}):
            return False
        padding = 0
    values = (stride, 1), (dilation, 1), (_tuple(padding, dims), 0)
    return (
        all(len(sizes) == dims and min(sizes) >= least for sizes, least in values)
        and groups >= 1
        and channels == weight.shape[1] * groups
        and weight.shape[0] % groups == 0
    )


def _needs_pieces(guard: Guard, own: Layer, x: Tensor, weight: Tensor) -> bool:
    """Tell whether a call or a gradient of it that will run is not allowed as it is.

    Raises:
        OutsideEnvelopeError: a strict guard, and one cannot be computed inside the envelope.
    """
    layers = [own]
    if torch.is_grad_enabled():
        by_input = FORWARD if own.transposed else INPUT_GRADIENT
        others = (by_input, x), (WEIGHT_GRADIENT, weight)
        layers += [own._replace(direction=each) for each, by in others if by.requires_grad]
    plans = [guard.plan(layer, x.device) for layer in layers]
    for layer, plan in zip(layers, plans, strict=True):
        if plan.kind == CPU:
            _complain(guard, layer, plan)
    if any(plan.kind != NATIVE for plan in plans) or autograd.is_transformed(x, weight):
        return True
    if guard.flight and not CAN_RECORD:
        # Gradients that torch computes by itself would not be in it.
        return True
    if guard.record:
        for layer, plan in zip(layers, plans, strict=True):
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


def _autocast(
    x: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Cast as autocast casts the arguments of a convolution, if it is on."""
    is_on, dtype = _autocast_state(x.device.type)
    if not is_on:
        return x, weight, bias

    def cast(tensor: Tensor) -> Tensor:
        return tensor if tensor.dtype == torch.float64 else tensor.to(dtype)

    return cast(x), cast(weight), None if bias is None else cast(bias)


def _autocast_state(device: str) -> tuple[bool, torch.dtype]:
    """Return whether autocast is on for a device, and to what it casts."""
    if device == "meta":
        # It has no autocast, and torch raises an error when it is asked for it.
        return False, torch.float32
    if hasattr(torch, "get_autocast_dtype"):
        return torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    # Before torch 2.4 there was a pair of functions for each device.
    if device == "cpu":
        return torch.is_autocast_cpu_enabled(), torch.get_autocast_cpu_dtype()
    return torch.is_autocast_enabled(), torch.get_autocast_gpu_dtype()


def _padding(
    x: Tensor,
    weight: Tensor,
    padding: Sizes | str,
    dilation: tuple[int, ...],
) -> tuple[tuple[int, ...], Tensor]:
    """Return the padding that is equal on both sides, and the input with what is not."""
    dims = len(dilation)
    if not isinstance(padding, str):
        return _tuple(padding, dims), x
    if padding == "valid":
        return (0,) * dims, x
    # torch pads the larger half after the input (aten/src/ATen/native/Convolution.cpp).
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(side % 2 for side in total):
        x = F.pad(x, [pad for side in reversed(total) for pad in (0, side % 2)])
    return tuple(side // 2 for side in total), x


def _tuple(sizes: Sizes, dims: int) -> tuple[int, ...]:
    if isinstance(sizes, int):
        return (sizes,) * dims
    values = tuple(sizes)
    return values * dims if len(values) == 1 else values


def _with_bias(result: Tensor, bias: Tensor | None) -> Tensor:
    return result if bias is None else result + bias.view(-1, *[1] * (result.dim() - 2))
