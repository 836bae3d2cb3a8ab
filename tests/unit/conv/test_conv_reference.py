"""The reference is a convolution, and its tolerance admits right results alone."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.conv.case import ConvCase, DType

torch = pytest.importorskip("torch", reason="the reference is computed by torch")
reference = pytest.importorskip("rdna1.conv.reference", reason="it imports torch")

F = torch.nn.functional
LAYER = ConvCase(16, 32, 42, 42, 3, 3, padding=1)


@st.composite
def cases(draw: st.DrawFn) -> ConvCase:
    """Small legal convolutions of every kind."""

    def pick(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    groups, kh, kw, dilation = pick(1, 3), pick(1, 3), pick(1, 3), pick(1, 2)
    return ConvCase(
        c_in=groups * pick(1, 3),
        c_out=groups * pick(1, 3),
        h=dilation * (kh - 1) + pick(1, 6),
        w=dilation * (kw - 1) + pick(1, 6),
        kh=kh,
        kw=kw,
        n=pick(1, 2),
        stride=pick(1, 3),
        padding=pick(0, 2),
        dilation=dilation,
        groups=groups,
    )


def backward(case: ConvCase) -> ConvCase:
    return msgspec.structs.replace(case, direction="backward")


def by_columns(case: ConvCase, x: Any, weight: Any) -> Any:
    """Convolution as a product of matrices over im2col columns, group by group."""
    columns = F.unfold(x, (case.kh, case.kw), case.dilation, case.padding, case.stride)
    columns = columns.view(case.n, case.groups, -1, columns.shape[-1])
    rows = weight.view(case.groups, case.c_out // case.groups, -1)
    return torch.einsum("gok,ngkl->ngol", rows, columns).reshape(case.output_shape)


@given(cases())
@settings(deadline=None)
def test_forward_is_the_product_of_weight_and_columns(case: ConvCase) -> None:
    x, weight, grad = (tensor.double() for tensor in reference.make_inputs(case))
    expected = reference.expect(case, reference.Inputs(x, weight, grad))["output"]
    assert torch.allclose(expected.value, by_columns(case, x, weight))


@given(cases())
@settings(deadline=None)
def test_backward_is_what_autograd_derives(case: ConvCase) -> None:
    x, weight, grad = (tensor.double() for tensor in reference.make_inputs(case))
    x.requires_grad_()
    weight.requires_grad_()
    derived = torch.autograd.grad(by_columns(case, x, weight), (x, weight), grad)
    inputs = reference.Inputs(x.detach(), weight.detach(), grad)
    expected = reference.expect(backward(case), inputs)
    assert torch.allclose(expected["input gradient"].value, derived[0])
    assert torch.allclose(expected["weight gradient"].value, derived[1])


@given(cases(), st.sampled_from(["forward", "backward"]))
@settings(deadline=None)
def test_float32_on_the_cpu_passes(case: ConvCase, direction: str) -> None:
    case = backward(case) if direction == "backward" else case
    inputs = reference.make_inputs(case)
    results = reference.convolve(case, inputs)
    for name, expected in reference.expect(case, inputs).items():
        assert reference.compare(results[name], expected).fault == ""


def test_inputs_are_the_same_every_time_and_bounded() -> None:
    first, again = reference.make_inputs(LAYER), reference.make_inputs(LAYER)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert [tuple(tensor.shape) for tensor in first] == [
        LAYER.input_shape,
        LAYER.weight_shape,
        LAYER.output_shape,
    ]
    assert all(float(tensor.abs().max()) <= 1 for tensor in first)
    assert not torch.equal(first.x, reference.make_inputs(LAYER, seed=1).x)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_wrong(value: float) -> None:
    expected = reference.Expected(torch.zeros(2, 3, dtype=torch.float64), tolerance=math.inf)
    actual = torch.zeros(2, 3)
    actual[1, 2] = value
    comparison = reference.compare(actual, expected)
    assert comparison.fault == "1 of 6 values are not finite"
    assert comparison.max_abs_err is None


def test_the_tolerance_is_a_sharp_edge() -> None:
    expected = reference.Expected(torch.tensor([4.0, 0.0], dtype=torch.float64), tolerance=0.5)
    inside = reference.compare(torch.tensor([4.0, 0.5]), expected)
    assert (inside.max_abs_err, inside.max_rel_err, inside.fault) == (0.5, 0.125, "")
    outside = reference.compare(torch.tensor([3.25, 0.0]), expected)
    assert outside.max_abs_err == 0.75
    assert outside.fault == "largest error 0.75, tolerance 0.5"


def test_a_single_missing_product_is_wrong() -> None:
    inputs = reference.make_inputs(LAYER)
    expected = reference.expect(LAYER, inputs)["output"]
    damaged = expected.value.clone()
    damaged[0, 0, 5, 5] -= 0.1 * 0.1
    assert reference.compare(damaged, expected).fault


@pytest.mark.parametrize(("dtype", "bits"), [("float16", 11), ("bfloat16", 8)])
def test_rounding_the_right_result_passes_and_an_error_of_two_units_does_not(
    dtype: DType, bits: int
) -> None:
    case = ConvCase(16, 32, 20, 20, 3, 3, padding=1, dtype=dtype)
    expected = reference.expect(case, reference.make_inputs(case))["output"]
    rounded = expected.value.to(getattr(torch, dtype))
    assert reference.compare(rounded, expected).fault == ""
    largest = expected.value.abs().max()
    damaged = expected.value + 2 * 2.0 ** (math.ceil(math.log2(largest)) - bits)
    assert reference.compare(damaged, expected).fault


def cook_toom(m: int) -> tuple[Any, Any, Any]:
    """Matrices A, G and B of Winograd's F(m, 3), built from interpolation at the usual points.

    Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015).
    """
    points = [Fraction(text) for text in ("0", "1", "-1", "2", "-2", "1/2", "-1/2")[: m + 1]]
    scales = [math.prod(p - q for q in points if q != p) for p in points]
    a = [[*(p**i for p in points), Fraction(i == m - 1)] for i in range(m)]
    g = [[p**i / scale for i in range(3)] for p, scale in zip(points, scales, strict=True)]
    b = [[*polynomial([q for q in points if q != p]), Fraction(0)] for p in points]
    return as_tensor(a), as_tensor([*g, [0, 0, 1]]), as_tensor([*b, polynomial(points)])


def polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients, the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        scaled = [*(root * coefficient for coefficient in coefficients), Fraction(0)]
        coefficients = [one - other for one, other in zip(shifted, scaled, strict=True)]
    return coefficients


def as_tensor(rows: Any) -> Any:
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float32)


def winograd(m: int, x: Any, weight: Any) -> Any:
    """A 3x3 convolution with padding 1 in float32; sides must be multiples of ``m``."""
    a, g, b = cook_toom(m)
    tiles = F.pad(x, (1, 1, 1, 1)).unfold(2, m + 2, m).unfold(3, m + 2, m)
    products = torch.einsum("nchwij,ocij->nohwij", b @ tiles @ b.T, g @ weight @ g.T)
    n, c_out, rows, columns = products.shape[:4]
    result = a @ products @ a.T
    return result.permute(0, 1, 2, 4, 3, 5).reshape(n, c_out, rows * m, columns * m)


@pytest.mark.parametrize("m", [2, 4, 6])
@pytest.mark.parametrize("c_in", [1, 16, 256])
def test_winograd_is_within_the_tolerance(m: int, c_in: int) -> None:
    case = ConvCase(c_in, 32, 36, 36, 3, 3, padding=1)
    inputs = reference.make_inputs(case)
    expected = reference.expect(case, inputs)["output"]
    comparison = reference.compare(winograd(m, inputs.x, inputs.weight), expected)
    assert comparison.fault == ""
