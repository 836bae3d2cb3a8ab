"""A 1x1 convolution as the guard computes it by its route ``matmul``: one matrix product."""

from __future__ import annotations

import math

from torch import Tensor

from rdna1.conv.case import ConvCase
from rdna1.conv.reference_part import Inputs
from rdna1.guard.layer import FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, Layer
from rdna1.guard.products import multiply


def multiplied(case: ConvCase, inputs: Inputs) -> dict[str, Tensor]:
    """Run a case as products; the results are named as by `rdna1.conv.reference.convolve`.

    Raises:
        RuntimeError: its kernel is larger than one pixel, or it is transposed.
    """
    if case.transposed or set(case.kernel_size) != {1}:
        raise RuntimeError(f"{case.label} is not a plain matrix product")
    layer = Layer(
        FORWARD,
        case.n,
        case.c_in,
        case.c_out,
        case.input_size,
        case.kernel_size,
        (case.stride,) * case.dims,
        (case.padding,) * case.dims,
        (case.dilation,) * case.dims,
        case.groups,
        case.dtype,
        inputs.x.element_size(),
    )
    pixels = math.prod(layer.output_size)
    if case.direction == "forward":
        return {"output": multiply(layer, pixels, inputs.x, inputs.weight)}
    results = {}
    if case.direction != "backward-weights":
        of_input = layer._replace(direction=INPUT_GRADIENT)
        results["input gradient"] = multiply(of_input, pixels, inputs.grad, inputs.weight)
    if case.direction != "backward-data":
        of_weight = layer._replace(direction=WEIGHT_GRADIENT)
        results["weight gradient"] = multiply(of_weight, pixels, inputs.x, inputs.grad)
    return results
