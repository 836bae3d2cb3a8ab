"""The limit of a machine, in one line, next to the one that its stack documents."""

from __future__ import annotations

from collections.abc import Sequence

from rdna1.catalog.stacks import Stack
from rdna1.layout import SYSTEM
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.envelope import (
    Envelope,
    EnvelopeError,
    classes_below,
    documented_envelope,
    measured_envelope,
)
from rdna1.report.boundary import boundary_verdict

_MOST_CLASSES = 3


def limit_line(boundary: BoundaryReport | None, left_out: str, stack: Stack) -> str:
    """Return what is known of the limit.

    Args:
        boundary: what was measured, None if nothing was.
        left_out: why nothing was.
        stack: of the machine.
    """
    documented = documented_envelope(stack)
    if boundary is None:
        known = f"documented for {stack.name}: {_shown(documented)}" if documented else "not known"
        return f"{known}; not measured, {left_out}"
    verdict = boundary_verdict(boundary)
    if documented is None:
        return verdict
    if limit_warning(boundary, stack):
        return f"{verdict}; below or short of the documented {_shown(documented)}"
    if boundary.result.rule == "none" and _reaches(boundary, documented):
        return f"{verdict}; everything beyond the documented {_shown(documented)} works, too"
    return f"{verdict}; documented: {_shown(documented)}"


def limit_warning(boundary: BoundaryReport, stack: Stack) -> str | None:
    """Return why the measured limit needs attention, None if it does not."""
    verdict = boundary_verdict(boundary)
    try:
        measured = measured_envelope(boundary)
    except EnvelopeError as error:
        return f"no envelope could be measured ({error}): {verdict}"
    if not boundary.result.limit_found:
        return f"the limit of the card is not exact: {verdict}"
    documented = documented_envelope(stack)
    cases = (each.case for each in boundary.cases)
    below = classes_below(measured, documented, cases) if documented else []
    if documented and below:
        # Where the keys of both are the same, only the classes say what is wrong.
        return (
            f"the measured limit, {_shown(measured)}, is below the one documented for "
            f"{stack.name}, {_shown(documented)}, in {_listed(below)}. Remedy: keep layers within "
            f"{SYSTEM.envelope}, or look for better variables with rdna1-validate tune"
        )
    return None


def _listed(classes: Sequence[str]) -> str:
    more = len(classes) - _MOST_CLASSES
    return ", ".join(classes[:_MOST_CLASSES]) + (f" and {more} more classes" if more > 0 else "")


def _reaches(boundary: BoundaryReport, documented: Envelope) -> bool:
    return (boundary.result.largest_side_tried or 0) > (documented.max_side or 0)


def _shown(envelope: Envelope) -> str:
    parts = [
        f"{envelope.max_side} pixels" if envelope.max_side is not None else "",
        f"{envelope.max_workspace_bytes} bytes of workspace"
        if envelope.max_workspace_bytes is not None
        else "",
    ]
    return " and ".join(filter(None, parts)) or "none"
