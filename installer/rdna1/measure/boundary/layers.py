"""Which convolutions are run to find the limit, to explain it and to doubt it."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator

import msgspec

from rdna1.conv.case import ConvCase, DType

# The layer of the first recorded measurements.
_REFERENCE = ConvCase(16, 32, 1, 1, 3, 3, padding=1)

# The float64 reference on the CPU takes about two seconds for so many on two cores: those of the
# reference layer at 512 pixels.
_MOST_MULTIPLICATIONS = 512 * 512 * 16 * 32 * 9

_CHANNELS = (1, 4, 8, 16, 32, 64)
_DTYPES: tuple[DType, ...] = ("float32", "float16")

# Longest over shortest side of the maps between two workspaces.
_MOST_ASPECT = 8


def reference(side: int) -> ConvCase:
    """Return the reference layer on a square map; ``side`` in pixels."""
    return sized(_REFERENCE, side, side)


def sized(layer: ConvCase, height: int, width: int) -> ConvCase:
    """Return a layer on a map of this size, in pixels."""
    return msgspec.structs.replace(layer, h=height, w=width)


def is_reference(case: ConvCase) -> bool:
    """Tell whether a case is the reference layer on a square map."""
    return case == reference(case.h)


def sides_below(limit: int) -> list[int]:
    """Sides that must pass if all up to ``limit`` do: powers of two, and odd ones between."""
    powers = [2**n for n in range(1, limit.bit_length()) if 2**n <= limit]
    between = [limit * 3 // 4 | 1, limit // 3 | 1, limit - 1, limit]
    return sorted({side for side in powers + between if 1 < side <= limit})


def side_beyond(limit: int, max_side: int) -> int | None:
    """Return a side that must fail if all above ``limit`` do, far beyond, whatever the tile.

    The largest power of two within eight times the limit; None when there is none beyond.
    """
    most = min(max_side, 8 * limit, max(512, 2 * limit))
    power = 2 ** (most.bit_length() - 1)
    return power if power > limit + 1 else None


@functools.lru_cache(maxsize=16)
def candidates(limit: int, max_side: int) -> tuple[ConvCase, ...]:
    """Layers around and beyond the limit of the reference layer that may tell rules apart.

    Args:
        limit: largest side at which the reference layer passes.
        max_side: nothing is higher or wider.
    """
    shapes = sorted(set(_shapes(limit, max_side)))
    layers = itertools.product(_CHANNELS, (32, 64), (1, 2), _DTYPES)
    cases = (
        msgspec.structs.replace(
            _REFERENCE, c_in=c_in, c_out=c_out, h=height, w=width, stride=stride, dtype=dtype
        )
        for c_in, c_out, stride, dtype in layers
        for height, width in shapes
    )
    return tuple(filter(affordable, cases))


def _shapes(limit: int, max_side: int) -> Iterator[tuple[int, int]]:
    """Squares, and narrow maps both ways.

    Long sides are powers of two where there is room: should those be the ones that pass, as every
    tile fits them, the case that tells rules apart shows it too.
    """
    twelfths = (limit * n // 12 for n in (3, 6, 7, 8, 9, 10, 12, 15, 16, 18, 24, 36))
    squares = {side for side in twelfths if 1 <= side <= max_side}
    powers = {2**n for n in range(limit.bit_length(), max_side.bit_length())}
    long = powers or {limit + 1, max_side}
    yield from ((side, side) for side in squares | long)
    for side in {each for each in squares if each <= limit} | long:
        # As large as the limit's square, and larger, but no wider than that.
        for narrow in {min(limit * limit // side, limit), limit} - {0}:
            yield side, narrow
            yield narrow, side


def workspaces_between(low: int, high: float, max_side: int) -> list[ConvCase]:
    """Return one layer for each workspace above ``low`` and below ``high`` bytes, in order.

    Args:
        low: of a layer that passed.
        high: of a layer that did not.
        max_side: nothing is higher or wider.

    Returns:
        Layers with 3x3 kernels and up to 16 channels. Steps are 36 bytes where one channel fits
        ``max_side``, else a multiple of that.
    """
    found: dict[int, ConvCase] = {}
    for c_in in (16, 8, 4, 2, 1):
        layer = msgspec.structs.replace(_REFERENCE, c_in=c_in)
        step = layer.workspace_bytes
        for height in range(1, max_side + 1):
            least, most = low // (step * height) + 1, math.ceil(high / (step * height)) - 1
            for width in range(max(least, height), min(most, max_side, _MOST_ASPECT * height) + 1):
                size = step * height * width
                if size not in found:
                    found[size] = sized(layer, height, width)
    return [found[size] for size in sorted(found)]


def affordable(case: ConvCase) -> bool:
    """Tell whether the CPU computes the reference of a case in a few seconds at most."""
    taps = case.c_in * case.c_out * case.kh * case.kw
    return case.n * taps * case.h_out * case.w_out <= _MOST_MULTIPLICATIONS
