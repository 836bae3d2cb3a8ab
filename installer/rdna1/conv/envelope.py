"""The envelope file: what is known to work, and where it is known to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from rdna1.conv.boundary import layers
from rdna1.conv.boundary.report import BoundaryReport
from rdna1.conv.circumstances import Circumstances
from rdna1.errors import InputError
from rdna1.stacks import Stack

Limit = Annotated[int, msgspec.Meta(ge=1)]

_REMEDY = "measure again: rdna1-validate boundary --envelope FILE"


class EnvelopeError(InputError):
    """A file that is no envelope, or one that does not hold here; one line with the remedy."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Limits within which every case passed; a case must keep both.

    Attributes:
        max_side: largest height and width of a map in pixels, None without such a limit.
        max_workspace_bytes: largest im2col workspace (`ConvCase.workspace_bytes`), likewise.
        source: ``measured`` on the device, or documented for the ``stack``.
        measured: where it holds.
    """

    schema_version: Literal[1] = 1
    max_side: Limit | None
    max_workspace_bytes: Limit | None
    source: Literal["measured", "stack"]
    measured: Circumstances


def measured_envelope(report: BoundaryReport) -> Envelope:
    """The envelope that a boundary supports.

    A known rule gives its one limit. Without a rule both limits are those of the largest
    reference layer that passed, the workspace lowered below each smaller layer that failed: no
    case that was seen to fail is inside.

    Raises:
        EnvelopeError: nothing passed, or the search ended before there was a limit.
    """
    result = report.result
    side: int | None = None
    workspace: int | None = None
    if not result.limit_found and result.safe_side is None:
        raise EnvelopeError(f"no envelope: {result.explanation}")
    if result.rule == "side":
        side = result.safe_side
    elif result.rule == "workspace":
        workspace = result.safe_workspace_bytes
    elif result.rule == "unknown":
        side, workspace = _cautious(report)
    return Envelope(
        max_side=side, max_workspace_bytes=workspace, source="measured", measured=report.measured
    )


def _cautious(report: BoundaryReport) -> tuple[int, int]:
    side = report.result.safe_side or report.result.largest_side_tried or 1
    failed = [
        each.case.workspace_bytes
        for each in report.cases
        if each.outcome != "pass" and max(each.case.h, each.case.w) <= side
    ]
    return side, min([layers.reference(side).workspace_bytes, *(size - 1 for size in failed)])


def documented_envelope(stack: Stack) -> Envelope | None:
    """The limit that is documented for a stack; None where there is none."""
    if stack.known_limit is None:
        return None
    return Envelope(
        max_side=stack.known_limit.max_side,
        max_workspace_bytes=stack.known_limit.max_workspace_bytes,
        source="stack",
        measured=Circumstances(stack=stack.name),
    )


def is_below(envelope: Envelope, documented: Envelope) -> bool:
    """Whether an envelope forbids something that a documented one allows."""
    return _is_less(envelope.max_side, documented.max_side) or _is_less(
        envelope.max_workspace_bytes, documented.max_workspace_bytes
    )


def _is_less(limit: int | None, other: int | None) -> bool:
    return limit is not None and (other is None or limit < other)


def renewed(earlier: str, found: Envelope) -> Envelope:
    """The envelope to keep after another look: the earlier one if only its date differs.

    Args:
        earlier: content of the file so far; anything but an envelope of this version is dropped.
        found: what was measured or is documented. A documented limit does not replace one that
            was measured with the same stack.
    """
    try:
        kept = msgspec.json.decode(earlier.encode(), type=Envelope)
    except msgspec.MsgspecError:
        return found
    if found.source == "stack" and kept.source == "measured":
        return kept if kept.measured.stack == found.measured.stack else found
    dated = msgspec.structs.replace(found.measured, date=kept.measured.date)
    return kept if msgspec.structs.replace(found, measured=dated) == kept else found


def load(path: Path, present: Circumstances) -> Envelope:
    """Read an envelope and make sure that it holds here.

    Args:
        path: a JSON file.
        present: the circumstances of now, see `rdna1.conv.circumstances.observe`. The date
            does not matter. Of a documented limit only the stack does.

    Raises:
        EnvelopeError: the file cannot be read, is no envelope of this version, or something that
            it depends on is different now; the message names what.
    """
    try:
        envelope = msgspec.json.decode(path.read_bytes(), type=Envelope)
    except OSError as error:
        raise EnvelopeError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EnvelopeError(f"{path}: no envelope of version 1: {error}; {_REMEDY}") from error
    differences = _differences(envelope, present)
    if differences:
        raise EnvelopeError(f"{path} does not hold here: {'; '.join(differences)}; {_REMEDY}")
    return envelope


def _differences(envelope: Envelope, present: Circumstances) -> list[str]:
    measured = envelope.measured
    if envelope.source == "stack":
        names: tuple[str, ...] = ("stack",)
    else:
        names = tuple(
            name for name in Circumstances.__struct_fields__ if name not in ("environment", "date")
        )
    pairs = {name: (getattr(measured, name), getattr(present, name)) for name in names}
    if envelope.source == "measured":
        then, now = measured.environment, present.environment
        pairs |= {name: (then.get(name), now.get(name)) for name in sorted(then | now)}
    return [
        f"{name.replace('_', ' ') if name in names else name} was {_shown(then)} and is "
        f"{_shown(now)}"
        for name, (then, now) in pairs.items()
        if then != now
    ]


def _shown(value: str | None) -> str:
    return "not set" if value is None else value or "empty"
