"""What measurements mean, in words, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from rdna1.catalog.recommendations import Found, Recommendation, recommendations
from rdna1.conv.case import BYTES_PER_ELEMENT
from rdna1.conv.result import ConvOutcome
from rdna1.measure.boundary.report import BoundaryResult
from rdna1.report.measurement.subject import Measurement, Subject, is_right

_HAPPENS: Final[dict[ConvOutcome, str]] = {
    "hang": "hang",
    "crash": "crash the process",
    "error": "end in an error",
    "wrong": "give wrong results",
    "slow": "are far too slow",
}
_MEASURE_AGAIN: Final = (
    "Measure again after a change of kernel, driver, ROCm, PyTorch or card: the result is about "
    "this combination alone."
)
_REFERENCE_CHANNELS: Final = 16
_COMMON_CHANNELS: Final = (3, 16, 32, 64, 128, 256, 512)
_KERNEL_POSITIONS: Final = 9


class Safe(msgspec.Struct, frozen=True):
    """Largest square map of a 3x3 float32 layer, by the rule of the workspace.

    Attributes:
        channels: input channels.
        side: in pixels; 0 when not even one pixel is inside.
    """

    channels: int
    side: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """For users.

    Attributes:
        found: what recommendations are chosen by, None when nothing was measured.
        headline: one sentence.
        details: further sentences.
        safe: of some numbers of channels, when the workspace decides.
        steps: what to do now.
        ways: further ways to go.
    """

    found: Found | None
    headline: str
    details: list[str]
    safe: list[Safe]
    steps: list[str]
    ways: list[Recommendation]


def verdict(subject: Subject) -> Verdict:
    """Say what was found on a device and what to do about it."""
    search = subject.search
    found = _found(subject, search)
    result = search.result if search else None
    details = [*_about_limit(result), *_about_measurements(subject.measurements)]
    gfx_target = (subject.device.gfx_target if subject.device else None) or "GFX_TARGET"
    ways = [
        msgspec.structs.replace(way, how=way.how.replace("{gfx_target}", gfx_target))
        for way in recommendations()
        if subject.is_amd and found in way.after
    ]
    return Verdict(
        found=found,
        headline=_headline(subject, found, result),
        details=details,
        safe=_safe_sides(result),
        steps=list(_steps(found, subject)),
        ways=ways,
    )


def happens(outcome: ConvOutcome) -> str:
    """Return what convolutions with an outcome do, to follow a plural."""
    return _HAPPENS.get(outcome, "work")


def _found(subject: Subject, search: Measurement | None) -> Found | None:
    cases = subject.cases
    if not cases:
        return None
    right = sum(map(is_right, cases))
    if right == len(cases):
        return "everything-works" if not search or search.unfinished == "" else "unclear"
    if right == 0:
        return "nothing-works"
    if search and search.result:
        return "limit" if search.result.rule in ("side", "workspace") else "unclear"
    return "unclear"


def _headline(subject: Subject, found: Found | None, result: BoundaryResult | None) -> str:
    cases = subject.cases
    if found is None:
        return "Nothing was measured: no convolution was run"
    if found == "everything-works":
        largest = max(case.case.longest_side for case in cases)
        return f"Every convolution that was tried works, on maps of up to {largest} pixels a side"
    if found == "nothing-works":
        return f"No convolution works on this device: all {len(cases)} that were tried failed"
    if result and result.safe_side and result.first_bad_side and result.first_bad_outcome:
        return _limit_headline(result, happens(result.first_bad_outcome))
    right = sum(map(is_right, cases))
    return f"{right} of {len(cases)} convolutions work on this device, the others do not"


def _limit_headline(result: BoundaryResult, bad: str) -> str:
    side = f"{result.safe_side}x{result.safe_side}"
    if not result.limit_found:
        return f"Maps of {side} pixels work; somewhere below {result.first_bad_side} they {bad}"
    if result.rule == "side":
        return f"Convolutions work on maps of up to {side} pixels; larger ones {bad}"
    if result.rule == "workspace":
        limit = _bytes(result.safe_workspace_bytes or 0)
        return f"Convolutions work up to a workspace of {limit}; those beyond {bad}"
    return (
        f"With {_REFERENCE_CHANNELS} channels, maps of up to {side} pixels work and those of "
        f"{result.first_bad_side} {bad}; what decides is not known"
    )


def _about_limit(result: BoundaryResult | None) -> Iterable[str]:
    if result is None:
        return
    if result.rule == "side":
        yield "The longer side of the map decides, whatever the number of channels or the kernel."
    if result.rule == "workspace":
        yield (
            "The workspace is the buffer in which a convolution lays out its input: input channels "
            "x kernel height x kernel width x output height x output width x bytes per number. "
            "So the more channels a layer has, the smaller its map must be."
        )
    if result.explanation:
        yield f"Why: {result.explanation}."
    if not result.monotonic:
        yield "Some larger maps work although smaller ones do not: do not trust sizes in between."
    if result.deciding_case:
        yield f"Undecided: the convolution {result.deciding_case.label} would tell."


def _about_measurements(measurements: Sequence[Measurement]) -> Iterable[str]:
    for each in measurements:
        right = sum(map(is_right, each.cases))
        lost = sum(place.workers_lost for place in each.places)
        seconds = sum(place.wall_seconds for place in each.places)
        killed = f", {lost} of them hung or crashed" if lost else ""
        yield (
            f"{each.kind}: {right} of {len(each.cases)} convolutions gave the right "
            f"result{killed}, in {seconds:.1f} s."
        )
        bad = dict.fromkeys(case.case.dtype for case in each.cases if not is_right(case))
        if bad and "float32" not in bad and any(c.case.dtype == "float32" for c in each.cases):
            yield f"Use float32: {' and '.join(bad)} failed where float32 did not."
        if each.unfinished:
            yield f"{each.kind} is not complete: {each.unfinished}."
        resets = sum(len(place.resets) for place in each.places)
        if resets:
            yield f"The kernel reported resets of a card during {each.kind}: {resets}."


def _safe_sides(result: BoundaryResult | None) -> list[Safe]:
    if result is None or result.rule != "workspace" or not result.safe_workspace_bytes:
        return []
    pixel = _KERNEL_POSITIONS * BYTES_PER_ELEMENT["float32"]
    return [
        Safe(channels, math.isqrt(result.safe_workspace_bytes // (channels * pixel)))
        for channels in _COMMON_CHANNELS
    ]


def _steps(found: Found | None, subject: Subject) -> Iterable[str]:
    if found in (None, "nothing-works"):
        yield "Check the installation: rdna1-preflight, then rdna1-validate smoke."
        yield "Compute on the CPU until then."
        return
    if not subject.simulated and subject.device and subject.device.type == "cpu":
        yield (
            "These convolutions ran on the CPU, so nothing is known about a card. Run "
            "rdna1-preflight to see why no card was used."
        )
        return
    if found == "everything-works":
        yield "There is nothing to restrict at the sizes that were tried."
    elif found == "limit":
        yield "Keep every layer within the limit, or choose one of the ways below for the others."
        yield "Write the limit down for programs: rdna1-validate boundary --envelope FILE."
    elif subject.search:
        yield "Stay well below the smallest map that failed, and do not rely on sizes never run."
    else:
        yield "Find the exact limit and its rule: rdna1-validate boundary."
    yield _MEASURE_AGAIN


def _bytes(number: int) -> str:
    """Return a number of bytes, rounded down as it is a limit."""
    if number < 2**20:
        return f"{number / 2**10:.4g} KiB ({number} bytes)"
    return f"{math.floor(number / 2**20 * 100) / 100:g} MiB ({number} bytes)"
