"""The convolutions of ``torch.nn.functional`` under their names, with an envelope to keep."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Protocol

from torch import Tensor

from .convolution import convolve, convolve_transposed
from .envelope import Envelope, load
from .geometry import Sizes
from .setting import Guard
from .status import record


class PlainConvolution(Protocol):
    """A function as ``torch.nn.functional.conv2d``."""

    def __call__(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        *,
        envelope: Envelope | str | Path,
    ) -> Tensor:
        """Compute it inside an envelope, or the path of its file."""
        ...


class TransposedConvolution(Protocol):
    """A function as ``torch.nn.functional.conv_transpose2d``."""

    def __call__(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        dilation: Sizes = 1,
        *,
        envelope: Envelope | str | Path,
    ) -> Tensor:
        """Compute it inside an envelope, or the path of its file."""
        ...


def guard_of(envelope: Envelope | str | Path) -> Guard:
    """Return the guard of an envelope or of the path of its file."""
    return _guard(envelope if isinstance(envelope, Envelope) else load(envelope))


@functools.lru_cache(maxsize=64)
def _guard(envelope: Envelope) -> Guard:
    return Guard(envelope, record=record)


def _plain(dims: int) -> PlainConvolution:
    def convolution(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        *,
        envelope: Envelope | str | Path,
    ) -> Tensor:
        guard = guard_of(envelope)
        return convolve(guard, dims, x, weight, bias, stride, padding, dilation, groups)

    convolution.__name__ = convolution.__qualname__ = f"conv{dims}d"
    convolution.__doc__ = f"Compute ``torch.nn.functional.conv{dims}d`` inside an envelope."
    return convolution


def _transposed(dims: int) -> TransposedConvolution:
    def convolution(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        dilation: Sizes = 1,
        *,
        envelope: Envelope | str | Path,
    ) -> Tensor:
        sizes = stride, padding, output_padding, groups, dilation
        return convolve_transposed(guard_of(envelope), dims, x, weight, bias, *sizes)

    name = f"conv_transpose{dims}d"
    convolution.__name__ = convolution.__qualname__ = name
    convolution.__doc__ = f"Compute ``torch.nn.functional.{name}`` inside an envelope."
    return convolution


conv1d, conv2d, conv3d = map(_plain, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_transposed, (1, 2, 3))
