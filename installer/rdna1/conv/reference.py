"""The float64 reference on the CPU, and how far a device may be from it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from rdna1.conv.case import ConvCase, DType

TORCH_DTYPES: dict[DType, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}

# Unit roundoff: half the distance from 1 to the next number (IEEE 754; bfloat16 has 8 bits).
UNIT_ROUNDOFF: dict[DType, float] = {
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}

# Higham and Mary's lambda: 6 makes their P(lambda) = 1 - 2 * exp(-lambda**2 / 2) = 1 - 3e-8.
_LAMBDA = 6.0

# Winograd with tiles of 6x6 outputs, the largest in use, loses up to four bits against a sum:
# most for one input channel. tests/unit/conv/test_conv_reference.py computes it that way.
_WINOGRAD_LOSS = 16.0


class Inputs(NamedTuple):
    """Tensors of a case.

    Attributes:
        x: input (n, c_in, h, w).
        weight: (c_out, c_in/groups, kh, kw).
        grad: gradient of the output (n, c_out, h_out, w_out).
    """

    x: Tensor
    weight: Tensor
    grad: Tensor


class Expected(NamedTuple):
    """The right result of a case: one tensor and its tolerance (absolute)."""

    value: Tensor
    tolerance: float


class Comparison(NamedTuple):
    """How a result compares; the errors are None unless all its values are finite.

    Attributes:
        max_abs_err: largest absolute error.
        max_rel_err: ``max_abs_err`` over the largest absolute value of the reference.
        fault: what is wrong, empty when the result is within the tolerance.
    """

    max_abs_err: float | None
    max_rel_err: float | None
    fault: str


def make_inputs(case: ConvCase, seed: int = 0) -> Inputs:
    """Draw the tensors of a case, uniform in [-1, 1), on the CPU.

    They are the same on every machine, and they are rounded to the case's dtype here, so
    that the reference starts from exactly what the device is given.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = (case.input_shape, case.weight_shape, case.output_shape)
    drawn = (torch.rand(shape, generator=generator) * 2 - 1 for shape in shapes)
    return Inputs(*(tensor.to(TORCH_DTYPES[case.dtype]) for tensor in drawn))


def convolve(case: ConvCase, inputs: Inputs) -> dict[str, Tensor]:
    """Run a case where its tensors are and in their dtype.

    Backward makes the one call that training makes after its forward, without a forward.

    Returns:
        ``output``, or ``input gradient`` and ``weight gradient``.
    """
    x, weight, grad = inputs
    if case.direction == "forward":
        output = F.conv2d(x, weight, None, case.stride, case.padding, case.dilation, case.groups)
        return {"output": output}
    by_input, by_weight, _ = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        bias_sizes=None,
        stride=[case.stride] * 2,
        padding=[case.padding] * 2,
        dilation=[case.dilation] * 2,
        transposed=False,
        output_padding=[0, 0],
        groups=case.groups,
        output_mask=[True, True, False],
    )
    return {"input gradient": by_input, "weight gradient": by_weight}


def expect(case: ConvCase, inputs: Inputs) -> dict[str, Expected]:
    """Compute what a case must give, in float64 on the CPU, under the names of `convolve`.

    The tolerance of a result that sums K products x_i * w_i comes from Higham and Mary, "A
    new approach to probabilistic rounding error analysis" (SIAM J. Sci. Comput. 41(5), 2019):
    in any order of summation the error is below ``K * u * sum |x_i * w_i|``, and for rounding
    errors that are independent it is below ``lambda * sqrt(K) * u * sum |x_i * w_i|`` with a
    probability that grows with lambda. The smaller bound is taken, times what Winograd's
    algorithm may lose. Here ``u`` is float32's, as all three dtypes are accumulated in float32;
    the dtype's own ``u`` enters once, for rounding the result. The largest ``sum |x_i * w_i|`` is
    computed by the same convolution over absolute values. One tolerance serves a whole tensor
    because Winograd and FFT spread errors over neighbouring outputs.

    K is C_in/groups*kh*kw forward, C_out/groups*kh*kw for the gradient of the input, and
    n*H_out*W_out for the gradient of the weight.
    """
    exact = Inputs(*(tensor.double() for tensor in inputs))
    values = convolve(case, exact)
    magnitudes = convolve(case, Inputs(*(tensor.abs() for tensor in exact)))
    return {
        name: Expected(value, _tolerance(case, name, value, magnitudes[name]))
        for name, value in values.items()
    }


def compare(actual: Tensor, expected: Expected) -> Comparison:
    """Compare a result with what was expected; NaN and infinity are never right."""
    actual = actual.double()
    bad = int(torch.isfinite(actual).logical_not().sum())
    if bad:
        return Comparison(None, None, f"{bad} of {actual.numel()} values are not finite")
    error = float((actual - expected.value).abs().max())
    largest = float(expected.value.abs().max())
    relative = error / largest if largest else None
    if error <= expected.tolerance:
        return Comparison(error, relative, "")
    fault = f"largest error {error:.2g}, tolerance {expected.tolerance:.2g}"
    return Comparison(error, relative, fault)


def _tolerance(case: ConvCase, name: str, value: Tensor, magnitude: Tensor) -> float:
    """Largest error of a right result; derived in `expect`."""
    terms = {
        "output": case.c_in // case.groups * case.kh * case.kw,
        "input gradient": case.c_out // case.groups * case.kh * case.kw,
        "weight gradient": case.n * case.h_out * case.w_out,
    }[name]
    growth = _WINOGRAD_LOSS * min(terms, _LAMBDA * math.sqrt(terms))
    summing = growth * UNIT_ROUNDOFF["float32"] * float(magnitude.max())
    rounding = UNIT_ROUNDOFF[case.dtype] * (float(value.abs().max()) + summing)
    return summing + rounding
