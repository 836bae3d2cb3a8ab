"""No envelope allows a layer that fails, whatever the rule; the device is a double."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.conv import envelope
from rdna1.conv.boundary.kinds import Shapes, corners, kinds
from rdna1.conv.case import ConvCase
from rdna1.conv.circumstances import Circumstances
from rdna1.conv.limits import QUANTITIES
from support.convolutions import investigate, losses, pretend
from support.examples import examples

Fails = Callable[[ConvCase], bool]

_MOST = 32
_LAYERS = [case for kind in kinds("full") for case in corners(kind, Shapes(_MOST))[::11]]


def side(case: ConvCase) -> int:
    return max(case.h, case.w)


TRAITS: dict[str, Fails] = {
    "all": lambda case: case.n > 0,
    "grouped": lambda case: case.groups > 1,
    "depthwise": lambda case: case.groups == case.c_in > 1,
    "dilated": lambda case: case.dilation > 1,
    "pointwise": lambda case: case.kw == 1,
    "stem": lambda case: case.kw == 7,
    "strided": lambda case: case.stride > 1,
    "batch": lambda case: case.n > 1,
    "single": lambda case: case.n == 1,
    "half": lambda case: case.dtype == "float16",
    "backward": lambda case: case.direction == "backward",
    "gradient": lambda case: case.direction != "forward",
    "deep": lambda case: case.c_in > 60,
}


def share_forbidden(fails: Fails, max_hangs: int = 12) -> float:
    """The share of layers that pass and are not allowed; that none is unsafe is checked."""
    _, cases = investigate(pretend(fails), max_side=_MOST, max_hangs=max_hangs, form="full")
    assert losses(cases) <= max_hangs
    try:
        made = envelope.envelope_of(cases, Circumstances())
    except envelope.EnvelopeError:
        return 1.0
    fitting = [case for case in _LAYERS if not fails(case)]
    assert not [case for case in _LAYERS if fails(case) and envelope.allows(made, case)]
    return sum(not envelope.allows(made, case) for case in fitting) / max(1, len(fitting))


@settings(max_examples=examples(2), deadline=None)
@given(
    st.sampled_from(sorted(TRAITS)),
    st.sampled_from(sorted(QUANTITIES)),
    st.integers(2, 28),
    st.integers(1, 12),
)
def test_no_envelope_is_unsafe(trait: str, quantity: str, limit: int, max_hangs: int) -> None:
    measure, has = QUANTITIES[quantity], TRAITS[trait]
    most = measure(ConvCase(16, 32, limit, limit, 3, 3, padding=1))
    share = share_forbidden(lambda case: has(case) and measure(case) > most, max_hangs)
    print(f"{trait} and {quantity} > {most}, {max_hangs} hangs: {share:.1%} forbidden in vain")


@pytest.mark.parametrize(
    "fails",
    [
        lambda case: 14 < side(case) < 30,
        lambda case: case.h % 8 == 4 and case.h > 16,
        lambda case: case.workspace_bytes > 100_000 and side(case) > 14,
        lambda case: case.n > 1 and case.groups > 1 and case.h > 13,
    ],
)
def test_no_envelope_of_an_odd_rule_is_unsafe(fails: Fails) -> None:
    share_forbidden(fails)


@pytest.mark.parametrize("most", [3, 17])
def test_a_plain_side_forbids_little_and_takes_eight_hangs_at_most(most: int) -> None:
    assert share_forbidden(lambda case: side(case) > most, max_hangs=8) < 0.1
