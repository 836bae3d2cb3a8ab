"""The part of a large case that its reference is computed for."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import torch
from torch import Tensor

from rdna1.conv.case import ConvCase

# A float64 reference of so many takes some hundredths of a second on two cores; where groups are
# computed one by one it is far slower.
_MOST_MULTIPLICATIONS = 30_000_000
_MOST_OF_GROUPS = 2_000_000
_FEWEST_CHANNELS = 4


class Inputs(NamedTuple):
    """Tensors of a case.

    Attributes:
        x: input, of the case's ``input_shape``.
        weight: of its ``weight_shape``.
        grad: gradient of the output, of its ``output_shape``.
    """

    x: Tensor
    weight: Tensor
    grad: Tensor


class Part(NamedTuple):
    """A case that gives some of the channels of another one's results.

    Attributes:
        case: it; its direction may be one of the two that the other one computes.
        inputs: of it.
        channels: by result, the dimension that counts its channels, and which of them it gives.
    """

    case: ConvCase
    inputs: Inputs
    channels: dict[str, tuple[int, Tensor]]


def parts(case: ConvCase, inputs: Inputs) -> list[Part]:
    """Say what to compute for the reference of a case: the case itself, or parts of a large one."""
    most = _MOST_MULTIPLICATIONS if case.groups == 1 else _MOST_OF_GROUPS
    share = most / case.multiply_accumulates
    if share >= 1:
        return [Part(case, inputs, {})]
    if case.groups > 1:
        return [_of_groups(case, inputs, _ends(case.groups, share))]
    found = []
    if case.direction != "backward-data":
        found.append(_of_outputs(case, inputs, _ends(case.c_out, share)))
    if case.direction in ("backward", "backward-data"):
        found.append(_of_inputs(case, inputs, _ends(case.c_in, share)))
    return found


def _ends(count: int, share: float) -> Tensor:
    """Return the first and the last of so many channels or groups, a share of them in all."""
    number = min(count, max(_FEWEST_CHANNELS, int(count * share)))
    first = (number + 1) // 2
    return torch.tensor([*range(first), *range(count - number + first, count)])


def _of_outputs(case: ConvCase, inputs: Inputs, chosen: Tensor) -> Part:
    """Return some channels of the output, and what the weight has for them."""
    dim = 1 if case.transposed else 0
    forward = case.direction == "forward"
    part = msgspec.structs.replace(
        case, c_out=len(chosen), direction="forward" if forward else "backward-weights"
    )
    weight = inputs.weight.index_select(dim, chosen)
    name, place = ("output", 1) if forward else ("weight gradient", dim)
    chosen_inputs = Inputs(inputs.x, weight, inputs.grad.index_select(1, chosen))
    return Part(part, chosen_inputs, {name: (place, chosen)})


def _of_inputs(case: ConvCase, inputs: Inputs, chosen: Tensor) -> Part:
    """Return some channels of the input's gradient."""
    dim = 0 if case.transposed else 1
    part = msgspec.structs.replace(case, c_in=len(chosen), direction="backward-data")
    weight = inputs.weight.index_select(dim, chosen)
    chosen_inputs = Inputs(inputs.x.index_select(1, chosen), weight, inputs.grad)
    return Part(part, chosen_inputs, {"input gradient": (1, chosen)})


def _of_groups(case: ConvCase, inputs: Inputs, chosen: Tensor) -> Part:
    """Return some groups, with all of their channels."""
    into, out = (_channels(chosen, count // case.groups) for count in (case.c_in, case.c_out))
    first = into if case.transposed else out
    part = msgspec.structs.replace(case, groups=len(chosen), c_in=len(into), c_out=len(out))
    chosen_inputs = Inputs(
        inputs.x.index_select(1, into),
        inputs.weight.index_select(0, first),
        inputs.grad.index_select(1, out),
    )
    names = {"output": (1, out), "input gradient": (1, into), "weight gradient": (0, first)}
    return Part(part, chosen_inputs, names)


def _channels(groups: Tensor, each: int) -> Tensor:
    return (groups[:, None] * each + torch.arange(each)).flatten()
