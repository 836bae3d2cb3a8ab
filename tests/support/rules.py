"""Random rules about which layers fail, and what the search makes of a device that follows one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import assume
from hypothesis import strategies as st

from rdna1.conv.case import ConvCase, Direction, DType
from rdna1.conv.limits import QUANTITIES
from rdna1.measure import envelope
from rdna1.measure.boundary.kinds import Shapes, corners, kinds
from rdna1.measure.boundary.report import BoundaryCase
from rdna1.measure.conditions import Conditions
from support.convolutions import investigate, losses, pretend

MAX_SIDE = 32
_SIDES = range(1, 2 * MAX_SIDE)
_CHANNELS = (1, 3, 4, 8, 16, 24, 32, 48, 64, 96, 128, 256, 512)
_DTYPES: tuple[DType, ...] = ("float32", "float16", "bfloat16")
_DIRECTIONS: tuple[Direction, ...] = ("forward", "backward", "backward-data", "backward-weights")

# An envelope takes for granted that a card that fails at few channels does so at one, too, and for
# that needs neither much padding nor many images nor many of the other channels.
_CONDITIONS: dict[str, tuple[tuple[str, ...], tuple[int | str, ...]]] = {
    "n": ((">=",), (2, 4, 8, 16)),
    "c_in": ((">=", "<="), (3, 4, 16, 32, 64, 100, 128)),
    "c_out": ((">=", "<="), (32, 48, 64, 128, 256)),
    "padding": ((">=", "<="), (0, 1, 2)),
    "kh": (("==", ">=", "<="), (1, 3, 5, 7)),
    "stride": (("==", ">="), (1, 2)),
    "dilation": (("==", ">="), (1, 2)),
    "groups": (("==", ">=", "<="), (1, 2, 4, 32, 64)),
    "dtype": (("==", "!="), _DTYPES),
    "direction": (("==", "!="), _DIRECTIONS),
    "single": (("==",), (1,)),
}
_CHANNELS_OF = ("c_in", "c_out")
_MUCH = (*_CHANNELS_OF, "padding", "n")


class Rule(NamedTuple):
    """Layers fail that meet all conditions and exceed the limits, all of them or any.

    Attributes:
        conditions: attribute, comparison, value.
        limits: quantity, the largest value that passes.
        every: whether all limits are to be exceeded, not any.
    """

    conditions: tuple[tuple[str, str, int | str], ...]
    limits: tuple[tuple[str, int], ...]
    every: bool

    def fails(self, case: ConvCase) -> bool:
        """Whether a layer fails."""
        for name, comparison, value in self.conditions:
            if not _holds(getattr(case, name), comparison, value):
                return False
        exceeded = (QUANTITIES[name](case) > most for name, most in self.limits)
        return all(exceeded) if self.every else any(exceeded)

    def __str__(self) -> str:
        """As an expression."""
        limits = f" {'and' if self.every else 'or'} ".join(f"{n} > {m}" for n, m in self.limits)
        conditions = [" ".join(map(str, each)) for each in self.conditions]
        return " and ".join([*conditions, f"({limits})"])


def _holds(actual: int | str, comparison: str, value: int | str) -> bool:
    if comparison == "==":
        return actual == value
    if comparison == "!=":
        return actual != value
    if isinstance(actual, str) or isinstance(value, str):
        return False
    return actual >= value if comparison == ">=" else actual <= value


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Rules about up to two attributes and one or two quantities."""
    conditions = []
    for name in draw(st.lists(st.sampled_from(sorted(_CONDITIONS)), max_size=2, unique=True)):
        comparisons, values = _CONDITIONS[name]
        comparison, value = draw(st.sampled_from(comparisons)), draw(st.sampled_from(values))
        conditions.append(("n" if name == "single" else name, comparison, value))
    few = [
        name for name, comparison, _ in conditions if comparison == "<=" and name in _CHANNELS_OF
    ]
    much = [name for name, comparison, _ in conditions if comparison == ">=" and name in _MUCH]
    assume(not (few and much))
    limits = []
    for name in draw(
        st.lists(st.sampled_from(sorted(QUANTITIES)), min_size=1, max_size=2, unique=True)
    ):
        side, channels = draw(st.integers(1, MAX_SIDE - 2)), draw(st.sampled_from((4, 16, 64)))
        most = QUANTITIES[name](ConvCase(channels, 32, side, side, 3, 3, padding=1))
        limits.append((name, most))
    return Rule(tuple(conditions), tuple(limits), draw(st.booleans()))


class Held(NamedTuple):
    """An envelope held against the truth.

    Attributes:
        unsafe: layers that it allows and that fail.
        forbidden: share of the layers of networks that pass and that it does not allow.
        lost: workers that the search would have lost.
        cases: that were run.
    """

    unsafe: list[ConvCase]
    forbidden: float
    lost: int
    cases: int


def held(fails: Callable[[ConvCase], bool], max_hangs: int = 12) -> Held:
    """Search on a device on which some layers fail, and hold the envelope against those."""
    _, cases = investigate(pretend(fails), max_side=MAX_SIDE, max_hangs=max_hangs, form="full")
    return held_after(cases, fails)


def held_after(cases: list[BoundaryCase], fails: Callable[[ConvCase], bool]) -> Held:
    """Hold the envelope of a search against the layers that fail."""
    lost = losses(cases)
    try:
        made = envelope.envelope_of(cases, Conditions(), tries_less=True)
    except envelope.EnvelopeError:
        return Held([], 1.0, lost, len(cases))
    every = (*LAYERS, *ODD_LAYERS)
    unsafe = [case for case in every if fails(case) and envelope.allows(made, case)]
    passing = [case for case in LAYERS if not fails(case)]
    forbidden = sum(not envelope.allows(made, case) for case in passing)
    return Held(unsafe, forbidden / max(1, len(passing)), lost, len(cases))


def _odd_layers(number: int) -> list[ConvCase]:
    """Layers that no search tries: all kinds of attributes together."""
    draw = random.Random(0)  # noqa: S311 - the same ones each time
    found: list[ConvCase] = []
    while len(found) < number:
        kernel, (c_in, c_out) = draw.choice((1, 2, 3, 5, 7)), draw.choices(_CHANNELS, k=2)
        height, width = draw.choices(_SIDES, k=2)
        try:
            case = ConvCase(
                c_in,
                c_out,
                height,
                width,
                kernel,
                draw.choice((kernel, kernel, 3)),
                n=draw.choice((1, 2, 3, 4, 8, 16, 32)),
                stride=draw.choice((1, 1, 2, 3)),
                padding=draw.choice((0, kernel // 2, 1)),
                dilation=draw.choice((1, 1, 2, 3)),
                groups=draw.choice((1, 1, 2, 4, c_in)),
                dtype=draw.choice(_DTYPES),
                direction=draw.choice(_DIRECTIONS),
            )
        except ValueError:
            continue
        found.append(case)
    return found


# Of the classes that are tried, and as no class is.
LAYERS = [case for kind in kinds("full") for case in corners(kind, Shapes(MAX_SIDE))[::11]]
ODD_LAYERS = _odd_layers(3000)
