"""The reference is a convolution, and its tolerance admits right results alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from rdna1.conv.case import ConvCase, DType
from support.conv_cases import legal_cases

torch = pytest.importorskip("torch", reason="the reference is computed by torch")
reference = pytest.importorskip("rdna1.conv.reference", reason="it imports torch")

Index = tuple[int, ...]

F = torch.nn.functional
LAYER = ConvCase(16, 32, 42, 42, 3, 3, padding=1)
UNET = ConvCase(64, 32, 21, 21, 2, 2, stride=2, transposed=True)

NAMES = {
    "forward": {"output"},
    "backward": {"input gradient", "weight gradient"},
    "backward-data": {"input gradient"},
    "backward-weights": {"weight gradient"},
}


def towards(case: ConvCase, direction: str) -> ConvCase:
    return msgspec.structs.replace(case, direction=direction)


def in_float64(case: ConvCase) -> Any:
    return reference.Inputs(*(tensor.double() for tensor in reference.make_inputs(case)))


def by_torch(case: ConvCase, inputs: Any) -> dict[str, Any]:
    """What torch.nn.functional and autograd say, from contiguous tensors."""
    x, weight, grad = (tensor.contiguous() for tensor in inputs)
    x.requires_grad_()
    weight.requires_grad_()
    keywords = {"stride": case.stride, "padding": case.padding, "dilation": case.dilation}
    if case.transposed:
        function = getattr(F, f"conv_transpose{case.dims}d")
        keywords["output_padding"] = case.output_padding
    else:
        function = getattr(F, f"conv{case.dims}d")
    output = function(x, weight, groups=case.groups, **keywords)
    by_input, by_weight = torch.autograd.grad(output, (x, weight), grad)
    found = {"output": output.detach(), "input gradient": by_input, "weight gradient": by_weight}
    return {name: found[name] for name in NAMES[case.direction]}


@given(legal_cases())
@settings(deadline=None)
def test_every_legal_case_does_what_torch_documents(case: ConvCase) -> None:
    inputs = in_float64(case)
    results = reference.convolve(case, inputs)
    expected = by_torch(case, inputs)
    assert set(results) == set(expected)
    for name, result in results.items():
        torch.testing.assert_close(result, expected[name], rtol=1e-12, atol=1e-12)
    shapes = {
        "output": case.output_shape,
        "input gradient": case.input_shape,
        "weight gradient": case.weight_shape,
    }
    assert all(tuple(result.shape) == shapes[name] for name, result in results.items())


def axis_terms(case: ConvCase, axis: int) -> Iterator[tuple[int, int, int]]:
    """Input pixel, output pixel and kernel element that meet on one axis.

    The kernel is laid down every ``stride`` pixels of the padded image, and its elements are
    ``dilation`` apart. That image is the input, or the output of a transposed convolution.
    """
    image, laid = case.input_size[axis], case.output_size[axis]
    if case.transposed:
        image, laid = laid, image
    for place, element in product(range(laid), range(case.kernel_size[axis])):
        pixel = place * case.stride - case.padding + element * case.dilation
        if 0 <= pixel < image:
            yield (place, pixel, element) if case.transposed else (pixel, place, element)


def all_terms(case: ConvCase) -> Iterator[tuple[Index, Index, Index]]:
    """Indices into input, output and weight of every product of the sum that defines a case."""
    spatial = list(product(*(list(axis_terms(case, axis)) for axis in range(case.dims))))
    into, out_of = case.c_in // case.groups, case.c_out // case.groups
    for image, group, i, o in product(
        range(case.n), range(case.groups), range(into), range(out_of)
    ):
        c_in, c_out = group * into + i, group * out_of + o
        channels = (c_in, o) if case.transposed else (c_out, i)
        for meeting in spatial:
            x_at, y_at, w_at = zip(*meeting, strict=True)
            yield (image, c_in, *x_at), (image, c_out, *y_at), (*channels, *w_at)


@given(legal_cases())
@settings(deadline=None)
def test_the_reference_is_the_sum_that_defines_a_convolution(case: ConvCase) -> None:
    inputs = in_float64(case)
    x, weight, grad = (Table(tensor) for tensor in inputs)
    sums = {name: Table(value.value) for name, value in reference.expect(case, inputs).items()}
    numbers = {name: Counter[Index]() for name in sums}
    for x_at, y_at, w_at in all_terms(case):
        for name, at, term in (
            ("output", y_at, x[x_at] * weight[w_at]),
            ("input gradient", x_at, grad[y_at] * weight[w_at]),
            ("weight gradient", w_at, grad[y_at] * x[x_at]),
        ):
            if name in sums:
                sums[name].subtract(at, term)
                numbers[name][at] += 1
    for name, rest in sums.items():
        assert rest.largest() < 1e-12
        most = max(numbers[name].values(), default=0)
        assert most <= reference.terms_per_result(case, name)


class Table:
    """The values of a tensor by index, as numbers of Python, which are quicker one by one."""

    def __init__(self, tensor: Any) -> None:
        indices = product(*map(range, tensor.shape))
        self._values: dict[Index, float] = dict(
            zip(indices, tensor.flatten().tolist(), strict=True)
        )

    def __getitem__(self, index: Index) -> float:
        return self._values[index]

    def subtract(self, index: Index, number: float) -> None:
        self._values[index] -= number

    def largest(self) -> float:
        return max(map(abs, self._values.values()))


@pytest.mark.parametrize(
    ("case", "name", "terms"),
    [
        (LAYER, "output", 16 * 9),
        (LAYER, "input gradient", 32 * 9),
        (LAYER, "weight gradient", 42 * 42),
        (msgspec.structs.replace(LAYER, groups=16), "output", 9),
        (msgspec.structs.replace(LAYER, n=3, stride=2), "weight gradient", 3 * 21 * 21),
        # Of a 3x3 kernel with stride 2, at most 2x2 places cover one pixel.
        (msgspec.structs.replace(LAYER, stride=2), "input gradient", 32 * 4),
        (msgspec.structs.replace(LAYER, stride=2, dilation=2), "input gradient", 32 * 9),
        (UNET, "output", 64),
        (UNET, "input gradient", 32 * 4),
        (UNET, "weight gradient", 21 * 21),
        (msgspec.structs.replace(UNET, kh=4, kw=4, padding=1), "output", 64 * 4),
        (ConvCase(4, 8, 12, 12, 3, 3, dims=3, depth=12, kd=3), "output", 4 * 27),
        (ConvCase(64, 64, 1, 42, 1, 3, dims=1), "output", 64 * 3),
    ],
)
def test_terms_per_result(case: ConvCase, name: str, terms: int) -> None:
    assert reference.terms_per_result(case, name) == terms


def by_columns(case: ConvCase, x: Any, weight: Any) -> Any:
    """Convolution as a product of matrices over im2col columns, group by group."""
    columns = F.unfold(x, (case.kh, case.kw), case.dilation, case.padding, case.stride)
    columns = columns.view(case.n, case.groups, -1, columns.shape[-1])
    rows = weight.view(case.groups, case.c_out // case.groups, -1)
    return torch.einsum("gok,ngkl->ngol", rows, columns).reshape(case.output_shape)


def test_the_workspace_holds_the_columns() -> None:
    case = ConvCase(6, 4, 9, 8, 3, 2, stride=2, padding=1, groups=2)
    inputs = reference.make_inputs(case)
    x, weight, _ = inputs
    columns = F.unfold(x, (case.kh, case.kw), case.dilation, case.padding, case.stride)
    assert columns.element_size() * columns.numel() == case.workspace_bytes
    output = reference.convolve(case, inputs)["output"]
    assert torch.allclose(by_columns(case, x, weight), output, atol=1e-5)


@given(legal_cases())
@settings(deadline=None)
def test_float32_on_the_cpu_passes(case: ConvCase) -> None:
    inputs = reference.make_inputs(case)
    results = reference.convolve(case, inputs)
    for name, expected in reference.expect(case, inputs).items():
        assert reference.compare(results[name], expected).fault == ""


@pytest.mark.parametrize("direction", NAMES)
def test_tensors_have_the_memory_format_of_the_case(direction: str) -> None:
    flat = msgspec.structs.replace(towards(LAYER, direction), n=2, memory_format="channels_last")
    deep = msgspec.structs.replace(flat, dims=3, depth=4, kd=3)
    for case, order in ((flat, torch.channels_last), (deep, torch.channels_last_3d)):
        inputs = reference.make_inputs(case)
        assert all(tensor.is_contiguous(memory_format=order) for tensor in inputs)
        plain = msgspec.structs.replace(case, memory_format="contiguous")
        assert all(map(torch.equal, inputs, reference.make_inputs(plain)))
        for expected in reference.expect(case, inputs).values():
            assert expected.value.is_contiguous()


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


# A sum over a whole image hides a product of 0.01, but not one of 0.5.
@pytest.mark.parametrize("case", [LAYER, UNET])
@pytest.mark.parametrize(
    ("direction", "missing"),
    [("forward", 0.01), ("backward-data", 0.01), ("backward-weights", 0.5)],
)
def test_a_single_missing_product_is_wrong(case: ConvCase, direction: str, missing: float) -> None:
    case = towards(case, direction)
    for expected in reference.expect(case, reference.make_inputs(case)).values():
        damaged = expected.value.clone()
        damaged[0, 0, 1, 1] -= missing
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
