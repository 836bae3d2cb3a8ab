"""The guard computes inside what a search for the boundary writes; the device is a double."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from rdna1.conv.circumstances import Circumstances
from rdna1.conv.envelope import envelope_of
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
    path.write_text(to_json(envelope_of(cases, Circumstances())), encoding="utf-8")
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
