"""The guard computes inside what a search for the boundary writes; the device is a double."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from rdna1.conv.case import ConvCase, Direction, DType, MemoryFormat
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import Form, allows, envelope_of
from rdna1.report.json import to_json
from support.convolutions import investigate, pretend

torch = pytest.importorskip("torch", reason="the guard computes with torch")
guard = pytest.importorskip("rdna1.guard", reason="it imports torch")


def test_a_layer_beyond_a_measured_envelope_is_computed_in_pieces(tmp_path: Path) -> None:
    """Pieces are padded first: what passed with padding has to stand for them."""
    _, cases = investigate(
        pretend(lambda case: max(case.h, case.w) > 20), max_side=32, form="quick"
    )
    path = tmp_path / "envelope.json"
    path.write_text(to_json(envelope_of(cases, Conditions())), encoding="utf-8")
    x = torch.randn(2, 16, 40, 30, dtype=torch.float32, requires_grad=True)
    weight = torch.randn(32, 16, 3, 3, dtype=torch.float32, requires_grad=True)
    with warnings.catch_warnings():
        # Nothing is left to the CPU.
        warnings.simplefilter("error")
        output = guard.conv2d(x, weight, None, 1, 1, envelope=path)
        gradients = torch.autograd.grad(output.square().sum(), (x, weight))
    right = torch.nn.functional.conv2d(x, weight, None, 1, 1)
    torch.testing.assert_close(output, right, rtol=1e-4, atol=1e-4)
    for found, expected in zip(
        gradients, torch.autograd.grad(right.square().sum(), (x, weight)), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-2)


def layer_of(case: ConvCase) -> object:
    """A plain case as the guard sees it."""
    axes = case.dims
    bytes_of = {"float32": 4, "float16": 2, "bfloat16": 2}
    return guard.layer.Layer(
        case.direction,
        case.n,
        case.c_in,
        case.c_out,
        case.input_size,
        case.kernel_size,
        (case.stride,) * axes,
        (case.padding,) * axes,
        (case.dilation,) * axes,
        case.groups,
        case.dtype,
        bytes_of[case.dtype],
        case.memory_format == "channels_last",
    )


def test_both_readers_of_an_envelope_allow_the_same_layers(tmp_path: Path) -> None:
    """The guard has no msgspec, so that it reads the file by itself."""
    _, found = investigate(
        pretend(lambda case: max(case.h, case.w) > 20), max_side=32, form="quick"
    )
    envelope = envelope_of(found, Conditions())
    wide = [limit for limit in envelope.limits if limit.quantity == "width"][:3]
    form = Form(dims=2, transposed=False, memory_format="channels_last", limits=wide)
    path = tmp_path / "envelope.json"
    asked = 0
    for written in (
        envelope,
        msgspec.structs.replace(envelope, forms=[form]),
        msgspec.structs.replace(envelope, limits=[], forms=[]),
    ):
        path.write_text(to_json(written), encoding="utf-8")
        read = guard.load(path)
        for side, groups, order, direction, dtype in itertools.product(
            (4, 19, 20, 21, 40), (1, 16), *map(get_args, (MemoryFormat, Direction, DType))
        ):
            options = {"direction": direction, "dtype": dtype, "memory_format": order}
            case = ConvCase(16, 32, side, 8, 3, 3, padding=1, groups=groups, **options)
            assert read.allows(layer_of(case)) == allows(written, case), case
            asked += 1
    assert asked == 720
