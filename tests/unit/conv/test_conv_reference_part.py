"""The parts of a large case give what the whole gives for the same channels."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rdna1.conv.case import ConvCase, Direction

torch = pytest.importorskip("torch", reason="the reference is computed by torch")
reference = pytest.importorskip("rdna1.conv.reference", reason="it imports torch")
reference_part = pytest.importorskip("rdna1.conv.reference_part", reason="it imports torch")

DIRECTIONS: tuple[Direction, ...] = ("forward", "backward", "backward-data", "backward-weights")
# So many channels that not all of them are computed, on maps that take no time.
LARGE = {
    "dense": ConvCase(24, 20, 9, 11, 3, 3, n=2, padding=1),
    "strided": ConvCase(24, 20, 9, 11, 3, 3, stride=2, padding=1, dilation=2),
    "transposed": ConvCase(24, 20, 5, 6, 2, 2, stride=2, transposed=True),
    "grouped": ConvCase(36, 24, 9, 11, 3, 3, n=2, padding=1, groups=12),
    "depthwise": ConvCase(24, 24, 9, 11, 3, 3, padding=1, groups=24),
    "grouped and transposed": ConvCase(36, 24, 5, 6, 3, 3, stride=2, groups=12, transposed=True),
    "1d": ConvCase(24, 20, 1, 30, 1, 3, dims=1),
    "3d": ConvCase(24, 20, 5, 6, 3, 3, dims=3, depth=4, kd=3, padding=1),
    "channels_last": ConvCase(24, 20, 9, 11, 3, 3, n=2, memory_format="channels_last"),
}


@pytest.fixture(autouse=True)
def few_multiplications(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the cases large ones."""
    monkeypatch.setattr(reference_part, "_MOST_MULTIPLICATIONS", 1000)
    monkeypatch.setattr(reference_part, "_MOST_OF_GROUPS", 1000)


def whole(case: ConvCase) -> dict[str, Any]:
    """The results of all channels, in float64."""
    exact = (tensor.double().contiguous() for tensor in reference.make_inputs(case))
    return dict(reference.convolve(case, reference.Inputs(*exact)))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", LARGE)
def test_parts_equal_the_whole(name: str, direction: Direction) -> None:
    case = msgspec.structs.replace(LARGE[name], direction=direction)
    expected = reference.expect(case, reference.make_inputs(case))
    full = whole(case)
    assert set(expected) == set(full)
    for result, part in expected.items():
        assert part.channels is not None
        right = full[result].index_select(part.dim, part.channels)
        assert 0 < part.value.numel() == right.numel() < full[result].numel()
        torch.testing.assert_close(part.value, right, rtol=1e-12, atol=1e-12)
        last = full[result].shape[part.dim] - 1
        assert {0, last} <= set(part.channels.tolist())


@pytest.mark.parametrize("direction", DIRECTIONS[:2])
@pytest.mark.parametrize("name", LARGE)
def test_a_wrong_value_in_the_last_channel_is_found(name: str, direction: Direction) -> None:
    case = msgspec.structs.replace(LARGE[name], direction=direction)
    expected = reference.expect(case, reference.make_inputs(case))
    for result, actual in whole(case).items():
        assert reference.compare(actual, expected[result]).fault == ""
        last = actual.shape[expected[result].dim] - 1
        actual.select(expected[result].dim, last)[:] += 1
        assert reference.compare(actual, expected[result]).fault


@pytest.mark.parametrize("name", ["dense", "grouped", "transposed"])
def test_the_tolerance_of_a_part_is_that_of_the_case(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts the products that the case sums; the largest magnitude is that of the part."""
    case = msgspec.structs.replace(LARGE[name], direction="backward")
    inputs = reference.make_inputs(case)
    parts = reference.expect(case, inputs)
    monkeypatch.undo()
    for result, full in reference.expect(case, inputs).items():
        assert full.channels is None
        assert 0.25 * full.tolerance < parts[result].tolerance <= full.tolerance
