"""Sizes, names and the JSON form of a convolution."""

from __future__ import annotations

import msgspec
import pytest

from rdna1.conv.case import ConvCase


@pytest.mark.parametrize(
    ("case", "output"),
    [
        (ConvCase(16, 32, 42, 42, 3, 3, padding=1), (1, 32, 42, 42)),
        (ConvCase(3, 64, 224, 224, 7, 7, stride=2, padding=3), (1, 64, 112, 112)),
        (ConvCase(4, 8, 10, 20, 3, 5, n=2), (2, 8, 8, 16)),
        (ConvCase(4, 4, 9, 9, 3, 3, dilation=2), (1, 4, 5, 5)),
    ],
)
def test_output_shape(case: ConvCase, output: tuple[int, ...]) -> None:
    assert case.output_shape == output


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


def test_label_leaves_out_what_is_usual() -> None:
    assert ConvCase(16, 32, 42, 42, 3, 3, padding=1).label == "16->32 3x3 42x42 forward"
    odd = ConvCase(8, 8, 9, 7, 3, 3, 2, 2, 0, 2, 8, "float16", "backward")
    assert odd.label == "8->8 3x3 s2 p0 d2 g8 n2 9x7 float16 backward"


def test_json_form_round_trips() -> None:
    case = ConvCase(16, 32, 42, 40, 3, 5, n=2, stride=2, dtype="bfloat16", direction="backward")
    assert msgspec.json.decode(msgspec.json.encode(case), type=ConvCase) == case


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride": 0}, "stride must be at least 1"),
        ({"c_in": 0}, "c_in must be at least 1"),
        ({"padding": -1}, "padding must be at least 0"),
        ({"groups": 3}, "3 groups do not divide 16->32"),
        ({"kh": 50}, "does not fit"),
    ],
)
def test_impossible_convolutions_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(ConvCase(16, 32, 42, 42, 3, 3), **changes)
