"""Which classes of layers were tried, and how far."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult
from rdna1.measure.boundary.allowed import worst

_TWO_DIMENSIONS = 2


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One class.

    Attributes:
        name: of the class, as in ``3x3 stride 2 float32 forward``.
        layers: the class without dtype and direction.
        use: dtype and direction.
        passed: number of its layers that passed.
        failed: number of those that did not.
        side: longer side of the largest map that passed, of any layer; 0 without one.
        first_failed: the smallest layer that did not pass, None without one.
    """

    name: str
    layers: str
    use: str
    passed: int
    failed: int
    side: int
    first_failed: str | None


def tried(results: Iterable[CaseResult]) -> list[Tried]:
    """Return the classes of results, in the order of their first ones."""
    classes: dict[tuple[str, str], list[tuple[ConvCase, bool]]] = {}
    for case, passed in worst(results).items():
        classes.setdefault((layers_of(case), use_of(case)), []).append((case, passed))
    return [_class(layers, use, cases) for (layers, use), cases in classes.items()]


def _class(layers: str, use: str, cases: list[tuple[ConvCase, bool]]) -> Tried:
    good = [case for case, passed in cases if passed]
    bad = [case for case, passed in cases if not passed]
    first = min(bad, key=lambda case: case.h * case.w * case.c_in * case.n, default=None)
    return Tried(
        name=f"{layers} {use}",
        layers=layers,
        use=use,
        passed=len(good),
        failed=len(bad),
        side=max((max(case.h, case.w) for case in good), default=0),
        first_failed=first.layer if first else None,
    )


def class_of(case: ConvCase) -> str:
    """Return what a layer's class is called."""
    return f"{layers_of(case)} {use_of(case)}"


def layers_of(case: ConvCase) -> str:
    """Return what a layer's class is called, dtype and direction apart."""
    depthwise = case.groups == case.c_in > 1
    parts = [
        f"{case.dims}d" if case.dims != _TWO_DIMENSIONS else "",
        "transposed" if case.transposed else "",
        "x".join(map(str, case.kernel_size)),
        f"stride {case.stride}" if case.stride > 1 else "",
        f"dilation {case.dilation}" if case.dilation > 1 else "",
        "depthwise" if depthwise else f"{case.groups} groups" if case.groups > 1 else "",
        case.memory_format if case.memory_format != "contiguous" else "",
    ]
    return " ".join(filter(None, parts))


def use_of(case: ConvCase) -> str:
    """Dtype and direction."""
    return f"{case.dtype} {case.direction}"
