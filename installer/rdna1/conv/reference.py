"""The float64 reference on the CPU, and how far a device may be from it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch program uses
from torch import Tensor

from rdna1.conv.case import ConvCase, DType
from rdna1.conv.reference_part import Inputs, parts

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


class Expected(NamedTuple):
    """The right result of a case, or of some of its channels.

    Attributes:
        value: what is right.
        tolerance: absolute.
        dim: of the result, that counts the channels.
        channels: that ``value`` is about, None for all.
    """

    value: Tensor
    tolerance: float
    dim: int = 1
    channels: Tensor | None = None


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
    """Draw the tensors of a case, uniform in [-1, 1), on the CPU, in its memory format.

    They are the same on every machine, and they are rounded to the case's dtype here, so
    that the reference starts from exactly what the device is given.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = (case.input_shape, case.weight_shape, case.output_shape)
    drawn = (torch.rand(shape, generator=generator) * 2 - 1 for shape in shapes)
    dtype, order = TORCH_DTYPES[case.dtype], _memory_format(case)
    return Inputs(*(tensor.to(dtype).contiguous(memory_format=order) for tensor in drawn))


def _memory_format(case: ConvCase) -> torch.memory_format:
    if case.memory_format == "contiguous":
        return torch.contiguous_format
    return torch.channels_last if case.dims == 2 else torch.channels_last_3d


def convolve(case: ConvCase, inputs: Inputs) -> dict[str, Tensor]:
    """Run a case where its tensors are, in their dtype and in their memory format.

    Backward makes the one call that training makes after its forward, without a forward.

    Returns:
        ``output``, or ``input gradient`` or ``weight gradient`` or both.
    """
    if case.direction == "forward":
        return {"output": _forward(case, inputs)}
    by_input, by_weight, _ = torch.ops.aten.convolution_backward(
        inputs.grad,
        inputs.x,
        inputs.weight,
        bias_sizes=None,
        stride=[case.stride] * case.dims,
        padding=[case.padding] * case.dims,
        dilation=[case.dilation] * case.dims,
        transposed=case.transposed,
        output_padding=[case.output_padding] * case.dims,
        groups=case.groups,
        output_mask=[
            case.direction != "backward-weights",
            case.direction != "backward-data",
            False,
        ],
    )
    gradients = {"input gradient": by_input, "weight gradient": by_weight}
    return {name: gradient for name, gradient in gradients.items() if gradient is not None}


def _forward(case: ConvCase, inputs: Inputs) -> Tensor:
    """Return what the module of torch that a user would take for the case calls."""
    if case.transposed:
        transposed = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
        return transposed[case.dims - 1](
            inputs.x,
            inputs.weight,
            stride=case.stride,
            padding=case.padding,
            output_padding=case.output_padding,
            groups=case.groups,
            dilation=case.dilation,
        )
    plain = (F.conv1d, F.conv2d, F.conv3d)
    return plain[case.dims - 1](
        inputs.x,
        inputs.weight,
        stride=case.stride,
        padding=case.padding,
        dilation=case.dilation,
        groups=case.groups,
    )


def expect(case: ConvCase, inputs: Inputs) -> dict[str, Expected]:
    """Compute what a case must give, in float64 on the CPU, under the names of `convolve`.

    The tolerance of a result that sums K products x_i * w_i comes from Higham and Mary, "A
    new approach to probabilistic rounding error analysis" (SIAM J. Sci. Comput. 41(5), 2019):
    in any order of summation the error is below ``K * u * sum |x_i * w_i|``, and for rounding
    errors that are independent it is below ``lambda * sqrt(K) * u * sum |x_i * w_i|`` with a
    probability that grows with lambda. The smaller bound is taken, times what Winograd's
    algorithm may lose. Here ``u`` is float32's, as all three dtypes are accumulated in float32;
    the dtype's own ``u`` enters once, for rounding the result. It enters once more, times
    ``sum |x_i * w_i|``, where a result may be gathered from columns (an input gradient, or the
    output of a transposed convolution): torch's own kernels, which run without MIOpen and cuDNN,
    keep columns in the dtype. tests/integration/measure/test_gpu.py met them: errors up to twice
    the tolerance without that part. The largest ``sum |x_i * w_i|`` is computed by the same
    convolution over absolute values, in float32, which is exact enough for sums of nothing negative
    and many times as fast as float64. One tolerance serves a whole tensor because Winograd and FFT
    spread errors over neighbouring outputs.

    K is told by `terms_per_result`. The reference is computed from contiguous tensors, whatever
    the memory format of the case. Of large cases it is that of the first and the last channels
    (`rdna1.conv.reference_part`): a kernel that is wrong for one channel is so for its neighbours,
    and at the edges its tiles are not full.
    """
    found = {}
    for part in parts(case, inputs):
        exact = Inputs(*(tensor.double().contiguous() for tensor in part.inputs))
        values = convolve(part.case, exact)
        magnitudes = convolve(part.case, Inputs(*(tensor.abs().float() for tensor in exact)))
        for name, value in values.items():
            tolerance = _tolerance(case, name, value, magnitudes[name])
            found[name] = Expected(value, tolerance, *part.channels.get(name, (1, None)))
    return found


def terms_per_result(case: ConvCase, name: str) -> int:
    """Return largest number of products that a value of a result sums.

    - ``output``: C_in/groups for each kernel element, as each output pixel gathers from the
      pixels under the kernel; ``input gradient`` of a transposed convolution likewise, with
      C_out.
    - ``input gradient``: C_out/groups for each place of the kernel that covers the pixel;
      ``output`` of a transposed convolution likewise, with C_in. On an axis with stride s and
      dilation d those are kernel elements s/gcd(s, d) apart, so only one in so many; a product
      with an inserted zero adds no rounding error.
    - ``weight gradient``: one for each image and each place of the kernel.

    Args:
        case: what was run.
        name: of the result, as `convolve` says it.
    """
    if name == "weight gradient":
        return case.n * case.kernel_positions
    channels = (case.c_in if name == "output" else case.c_out) // case.groups
    gathers = (name == "output") != case.transposed
    apart = 1 if gathers else case.stride // math.gcd(case.stride, case.dilation)
    return channels * math.prod(-(-side // apart) for side in case.kernel_size)


def compare(actual: Tensor, expected: Expected) -> Comparison:
    """Compare a result with what was expected; NaN and infinity are never right."""
    if expected.channels is not None:
        actual = actual.index_select(expected.dim, expected.channels)
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
    """Return largest error of a right result; derived in `expect`."""
    terms = terms_per_result(case, name)
    growth = _WINOGRAD_LOSS * min(terms, _LAMBDA * math.sqrt(terms))
    summing = growth * UNIT_ROUNDOFF["float32"] * float(magnitude.max())
    gathered = "output" if case.transposed else "input gradient"
    columns = float(magnitude.max()) if name == gathered else 0.0
    rounding = UNIT_ROUNDOFF[case.dtype] * (float(value.abs().max()) + summing + columns)
    return summing + rounding
