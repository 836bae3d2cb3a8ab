"""Sizes, names and the JSON form of a convolution."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from rdna1.conv.case import DIRECTIONS, ConvCase
from support.conv_cases import legal_cases

UNET = ConvCase(64, 32, 21, 21, 2, 2, stride=2, transposed=True)
VIDEO = ConvCase(3, 8, 112, 100, 7, 5, dims=3, depth=16, kd=3, stride=2, padding=1)
SOUND = ConvCase(16, 32, 1, 100, 1, 9, dims=1, padding=4)


@pytest.mark.parametrize(
    ("case", "output"),
    [
        (ConvCase(16, 32, 42, 42, 3, 3, padding=1), (1, 32, 42, 42)),
        (ConvCase(3, 64, 224, 224, 7, 7, stride=2, padding=3), (1, 64, 112, 112)),
        (ConvCase(4, 8, 10, 20, 3, 5, n=2), (2, 8, 8, 16)),
        (ConvCase(4, 4, 9, 9, 3, 3, dilation=2), (1, 4, 5, 5)),
        (SOUND, (1, 32, 100)),
        (VIDEO, (1, 8, 8, 54, 49)),
        (UNET, (1, 32, 42, 42)),
        (ConvCase(8, 4, 5, 6, 3, 3, 1, 2, 1, transposed=True, output_padding=1), (1, 4, 10, 12)),
    ],
)
def test_output_shape(case: ConvCase, output: tuple[int, ...]) -> None:
    assert case.output_shape == output
    sizes = (1, *output[2:]) if case.dims == 1 else output[2:]
    assert (case.h_out, case.w_out) == sizes[-2:]


@pytest.mark.parametrize(
    ("case", "images", "weight", "longest"),
    [
        (SOUND, (1, 16, 100), (32, 16, 9), 100),
        (VIDEO, (1, 3, 16, 112, 100), (8, 3, 3, 7, 5), 112),
        (UNET, (1, 64, 21, 21), (64, 32, 2, 2), 42),
        (ConvCase(8, 16, 5, 6, 3, 2, n=2, groups=4), (2, 8, 5, 6), (16, 2, 3, 2), 6),
        (ConvCase(8, 16, 5, 6, 3, 2, groups=4, transposed=True), (1, 8, 5, 6), (8, 4, 3, 2), 7),
    ],
)
def test_shapes_are_those_of_torch(
    case: ConvCase, images: tuple[int, ...], weight: tuple[int, ...], longest: int
) -> None:
    assert (case.input_shape, case.weight_shape) == (images, weight)
    assert case.longest_side == longest


# The table of research on the first investigation: input channels, side, workspace in bytes.
@pytest.mark.parametrize(
    ("c_in", "side", "size"),
    [(3, 32, 110592), (16, 42, 1016064), (16, 44, 1115136), (17, 48, 1410048), (31, 64, 4571136)],
)
def test_workspace_is_the_im2col_buffer(c_in: int, side: int, size: int) -> None:
    assert ConvCase(c_in, 32, side, side, 3, 3, padding=1).workspace_bytes == size


def test_batch_and_groups_do_not_enter_the_workspace_but_the_dtype_does() -> None:
    size = ConvCase(16, 32, 40, 40, 3, 3).workspace_bytes
    assert ConvCase(16, 32, 40, 40, 3, 3, n=8, groups=16).workspace_bytes == size
    assert ConvCase(16, 32, 40, 40, 3, 3, dtype="float16").workspace_bytes == size // 2


def test_workspace_of_other_dimensions_counts_all_axes() -> None:
    assert SOUND.workspace_bytes == 16 * 9 * 100 * 4
    assert VIDEO.workspace_bytes == 3 * (3 * 7 * 5) * (8 * 54 * 49) * 4


def mirrored(case: ConvCase) -> ConvCase:
    """The plain convolution of which ``case`` is the transposed one: from output to input."""
    depth, h, w = (1, 1, *case.output_size)[-3:]
    return msgspec.structs.replace(
        case,
        c_in=case.c_out,
        c_out=case.c_in,
        depth=depth,
        h=h,
        w=w,
        transposed=False,
        output_padding=0,
    )


@given(legal_cases(transposed=True))
def test_a_transposed_convolution_costs_what_its_mirror_image_costs(case: ConvCase) -> None:
    mirror = mirrored(case)
    assert case.weight_shape == mirror.weight_shape
    # Output padding of a stride or more adds pixels that the plain convolution would reach.
    if mirror.output_size == case.input_size:
        assert case.workspace_bytes == mirror.workspace_bytes
        assert case.multiply_accumulates == mirror.multiply_accumulates
    else:
        assert case.output_padding >= case.stride


def test_the_direction_does_not_enter_the_workspace() -> None:
    for case in (SOUND, VIDEO, UNET):
        sizes = {
            msgspec.structs.replace(case, direction=direction).workspace_bytes
            for direction in DIRECTIONS
        }
        assert sizes == {case.workspace_bytes}


@pytest.mark.parametrize(
    ("case", "number"),
    [
        # 32 outputs of 42x42 pixels, each a sum over 16 channels of 3x3.
        (ConvCase(16, 32, 42, 42, 3, 3, padding=1), 32 * 42 * 42 * 16 * 9),
        (ConvCase(16, 32, 42, 42, 3, 3, padding=1, n=5, groups=16), 5 * 32 * 42 * 42 * 9),
        (ConvCase(4, 8, 9, 9, 3, 3, stride=2, direction="backward-data"), 8 * 4 * 9 * 16),
        (ConvCase(4, 8, 9, 9, 3, 3, stride=2, direction="backward-weights"), 8 * 4 * 9 * 16),
        (ConvCase(4, 8, 9, 9, 3, 3, stride=2, direction="backward"), 2 * 8 * 4 * 9 * 16),
        (SOUND, 32 * 100 * 16 * 9),
        (VIDEO, 8 * (8 * 54 * 49) * 3 * (3 * 7 * 5)),
        # Each of the 21x21 pixels of 64 channels goes to 2x2 pixels of 32 channels.
        (UNET, 64 * 21 * 21 * 32 * 4),
    ],
)
def test_multiply_accumulates(case: ConvCase, number: int) -> None:
    assert case.multiply_accumulates == number


@pytest.mark.parametrize(
    ("direction", "elements"),
    [
        ("forward", 144 + 24 + 96),
        ("backward", 144 + 24 + 96 + 144 + 24),
        ("backward-data", 144 + 24 + 96 + 144),
        ("backward-weights", 144 + 24 + 96 + 24),
    ],
)
def test_tensor_bytes_count_what_is_read_and_written(direction: Any, elements: int) -> None:
    case = ConvCase(2, 3, 6, 6, 2, 2, n=2, stride=2, padding=1, direction=direction)
    assert case.output_shape == (2, 3, 4, 4)
    assert case.tensor_bytes == 4 * elements
    assert msgspec.structs.replace(case, dtype="bfloat16").tensor_bytes == 2 * elements


def test_label_leaves_out_what_is_usual() -> None:
    assert ConvCase(16, 32, 42, 42, 3, 3, padding=1).label == "16->32 3x3 42x42 forward"
    odd = ConvCase(8, 8, 9, 7, 3, 3, 2, 2, 0, 2, 8, "float16", "backward")
    assert odd.label == "8->8 3x3 s2 p0 d2 g8 n2 9x7 float16 backward"


@pytest.mark.parametrize(
    ("case", "label"),
    [
        (SOUND, "1d 16->32 9 100 forward"),
        (VIDEO, "3d 3->8 3x7x5 s2 16x112x100 forward"),
        (UNET, "transposed 64->32 2x2 s2 21x21 forward"),
        (
            ConvCase(8, 8, 9, 7, 3, 3, 1, 2, 1, transposed=True, output_padding=1),
            "transposed 8->8 3x3 s2 p1 op1 9x7 forward",
        ),
        (
            ConvCase(8, 8, 9, 7, 1, 1, memory_format="channels_last", direction="backward-data"),
            "8->8 1x1 9x7 channels_last backward-data",
        ),
    ],
)
def test_label_names_what_is_not_usual(case: ConvCase, label: str) -> None:
    assert case.label == label


@given(legal_cases(), legal_cases())
def test_labels_tell_cases_apart(one: ConvCase, other: ConvCase) -> None:
    assert (one.label == other.label) == (one == other)


@given(legal_cases())
def test_json_form_round_trips(case: ConvCase) -> None:
    assert msgspec.json.decode(msgspec.json.encode(case), type=ConvCase) == case


def test_json_of_a_first_version_means_what_it_meant() -> None:
    text = '{"c_in":16,"c_out":32,"h":42,"w":40,"kh":3,"kw":5,"direction":"backward"}'
    case = msgspec.json.decode(text, type=ConvCase)
    assert case == ConvCase(16, 32, 42, 40, 3, 5, direction="backward")
    assert (case.dims, case.transposed, case.memory_format) == (2, False, "contiguous")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride": 0}, "stride must be at least 1"),
        ({"c_in": 0}, "c_in must be at least 1"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"padding": -1}, "padding must be at least 0"),
        ({"output_padding": -1}, "output_padding must be at least 0"),
        ({"groups": 3}, "3 groups do not divide 16->32"),
        ({"kh": 50}, "a 50x3 kernel does not fit 42x42: no output is left"),
        ({"dims": 4}, "dims must be 1, 2 or 3, not 4"),
        ({"depth": 2}, "depth must be 1 with dims 2, not 2"),
        ({"kd": 3}, "kd must be 1 with dims 2, not 3"),
        ({"dims": 1}, "h must be 1 with dims 1, not 42"),
        ({"dims": 1, "h": 1}, "kh must be 1 with dims 1, not 3"),
        (
            {"dims": 1, "h": 1, "kh": 1, "memory_format": "channels_last"},
            "needs dims 2 or 3, not 1",
        ),
        ({"dims": 3, "kd": 2}, "a 2x3x3 kernel does not fit 1x42x42: no output is left"),
        ({"output_padding": 1, "stride": 2}, "output_padding is for transposed convolutions"),
        (
            {"output_padding": 2, "stride": 2, "transposed": True},
            "output_padding must be smaller than stride or dilation, not 2 of 2",
        ),
        (
            {"padding": 22, "transposed": True},
            "a transposed 3x3 kernel does not fit 42x42: no output is left",
        ),
    ],
)
def test_impossible_convolutions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(ConvCase(16, 32, 42, 42, 3, 3), **changes)
