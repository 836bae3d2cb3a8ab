"""The envelope file: what is known to work, and where it is known to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from rdna1.catalog.stacks import Stack
from rdna1.conv.case import ConvCase, Dims, MemoryFormat
from rdna1.conv.limits import QUANTITIES, Limit
from rdna1.conv.result import CaseResult
from rdna1.errors import InputError
from rdna1.measure.boundary.allowed import PLAIN, allowed, form_of, limits_for, worst
from rdna1.measure.boundary.keys import keys_of
from rdna1.measure.boundary.kinds import channels_of_tried_classes
from rdna1.measure.boundary.report import BoundaryReport, RouteName, RouteReport
from rdna1.measure.boundary.routes import route_keys
from rdna1.measure.boundary.tried import Tried, class_of, tried
from rdna1.measure.conditions import Conditions

Most = Annotated[int, msgspec.Meta(ge=1)]

_REMEDY = "measure again: rdna1-validate boundary --envelope FILE"


class EnvelopeError(InputError):
    """A file that is not an envelope, or one that does not hold here; one line with the remedy."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The two keys of an envelope, for some layers."""

    max_side: Most | None
    max_workspace_bytes: Most | None


class Routes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of other ways to compute a layer than MIOpen, where they were measured.

    Attributes:
        bypass: of PyTorch's own im2col, without MIOpen.
        matmul: of a 1x1 convolution as a plain matrix product.
    """

    bypass: Pair | None = None
    matmul: Pair | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of layers of another form than two-dimensional ones in the usual memory order.

    Attributes:
        dims: number of spatial dimensions.
        transposed: whether they are transposed convolutions.
        memory_format: order of the elements.
        limits: as those of the envelope.
    """

    dims: Dims
    transposed: bool
    memory_format: MemoryFormat
    limits: list[Limit]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What layers must keep.

    Where there are ``limits``, they are exact and complete: a layer is allowed if it keeps all that
    hold for it, and what was not tried keeps none. A program that does not know them keeps the two
    keys, which are sound by themselves and forbid more.

    Attributes:
        max_side: largest height and width of a map in pixels, None without such a limit.
        max_workspace_bytes: largest im2col workspace (`ConvCase.workspace_bytes`), likewise.
        source: ``measured`` on the device, or documented for the ``stack``.
        measured: where it holds.
        backward: the two keys for gradients, where they differ.
        limits: of two-dimensional layers in the usual memory order; empty in a file of an older
            version, or where the limit is a documented one.
        forms: of other layers; a form that is not here was not tried.
        tried: the classes of layers, and how far they were tried.
        routes: for `rdna1.guard`; those of ``rdna1-validate boundary --route``.
    """

    schema_version: Literal[1] = 1
    max_side: Most | None
    max_workspace_bytes: Most | None
    source: Literal["measured", "stack"]
    measured: Conditions
    backward: Pair | None = None
    limits: list[Limit] = []
    forms: list[Form] = []
    tried: list[Tried] = []
    routes: Routes | msgspec.UnsetType | None = msgspec.UNSET


def allows(envelope: Envelope, case: ConvCase) -> bool:
    """Return whether an envelope allows a layer."""
    if not envelope.limits and not envelope.forms:
        gradient = case.direction != "forward" and envelope.backward
        keys = envelope.backward if gradient and envelope.backward else envelope
        return _is_within(QUANTITIES["side"](case), keys.max_side) and _is_within(
            case.workspace_bytes, keys.max_workspace_bytes
        )
    form = form_of(case)
    if form == PLAIN:
        limits = envelope.limits
    else:
        of_form = (
            each.limits
            for each in envelope.forms
            if (each.dims, each.transposed, each.memory_format) == form
        )
        limits = next(of_form, [])
    return bool(limits) and not any(limit.forbids(case) for limit in limits)


def _is_within(value: int, most: int | None) -> bool:
    return most is None or value <= most


def measured_envelope(report: BoundaryReport) -> Envelope:
    """Return the envelope that a boundary supports.

    A known rule gives its one key. Where all passed, the keys are the largest that did.

    Raises:
        EnvelopeError: nothing passed.
    """
    rule, found = report.result.rule, report.result
    # Without a rule, what passes says nothing of more channels.
    classes = any(each.purpose == "classes" for each in report.cases)
    untried = channels_of_tried_classes(report.cases) if classes and rule == "unknown" else []
    envelope = envelope_of(report.cases, report.measured, untried, tries_less=classes)
    if report.routes:
        envelope = msgspec.structs.replace(envelope, routes=routes_of(report.routes))
    if rule in ("side", "workspace"):
        return msgspec.structs.replace(
            envelope,
            max_side=found.safe_side if rule == "side" else None,
            max_workspace_bytes=found.safe_workspace_bytes if rule == "workspace" else None,
            backward=None,
        )
    return envelope


def envelope_of(
    results: Sequence[CaseResult],
    measured: Conditions,
    also: Sequence[ConvCase] = (),
    *,
    tries_less: bool = False,
) -> Envelope:
    """Return the envelope that any results support.

    Args:
        results: of equal cards in the same conditions. A case may be there several times: it
            counts as the worst of its outcomes.
        measured: where they were measured.
        also: layers that the two keys alone must forbid unless they are known to pass.
        tries_less: whether they are of a search that tries layers with less of something.

    Raises:
        EnvelopeError: no two-dimensional layer in the usual memory order passed.
    """
    forms = allowed(results, tries_less=tries_less)
    plain = forms.get(PLAIN)
    cases = [case for case in (*worst(results), *also) if form_of(case) == PLAIN]
    keys = keys_of(cases, plain) if plain else None
    if plain is None or keys is None:
        raise EnvelopeError(f"no envelope: {'nothing passes' if cases else 'nothing was measured'}")
    forward = keys_of([case for case in cases if case.direction == "forward"], plain)
    back = keys_of([case for case in cases if case.direction != "forward"], plain)
    split = forward and back and forward != back
    if split and forward:
        keys = forward
    return Envelope(
        max_side=keys.side,
        max_workspace_bytes=keys.workspace,
        source="measured",
        measured=measured,
        backward=Pair(max_side=back.side, max_workspace_bytes=back.workspace)
        if split and back
        else None,
        limits=limits_for(PLAIN, plain),
        forms=[
            Form(
                dims=form[0],
                transposed=form[1],
                memory_format=form[2],
                limits=limits_for(form, found),
            )
            for form, found in forms.items()
            if form != PLAIN
        ],
        tried=tried(results),
    )


def routes_of(reports: Sequence[RouteReport]) -> Routes | msgspec.UnsetType:
    """Return the limits of routes that results support; where nothing passes there are none."""
    cases: dict[RouteName, list[CaseResult]] = {}
    for report in reports:
        cases.setdefault(report.route, []).extend(report.cases)
    keys = {route: route_keys(route, results) for route, results in cases.items()}
    found = {
        route: Pair(max_side=each.side, max_workspace_bytes=each.workspace)
        for route, each in keys.items()
        if each
    }
    return Routes(**found) if found else msgspec.UNSET


def documented_envelope(stack: Stack) -> Envelope | None:
    """Return the limit that is documented for a stack; None where there is none."""
    if stack.known_limit is None:
        return None
    return Envelope(
        max_side=stack.known_limit.max_side,
        max_workspace_bytes=stack.known_limit.max_workspace_bytes,
        source="stack",
        measured=Conditions(stack=stack.name),
    )


def classes_below(envelope: Envelope, documented: Envelope, cases: Iterable[ConvCase]) -> list[str]:
    """Give the classes of which an envelope forbids a layer that was run and is documented to work.

    That a layer was not tried is not a reason.

    Args:
        envelope: what was measured.
        documented: what is said to work.
        cases: that were run.
    """
    below = (case for case in cases if allows(documented, case) and not allows(envelope, case))
    return list(dict.fromkeys(class_of(case) for case in below))


def load(path: Path, present: Conditions) -> Envelope:
    """Read an envelope and make sure that it holds here.

    Args:
        path: a JSON file.
        present: the conditions of now, see `rdna1.measure.conditions.observe`. The date
            does not matter. Of a documented limit only the stack does.

    Raises:
        EnvelopeError: the file cannot be read, is not an envelope of this version, or something
            that it depends on is different now; the message names what.
    """
    try:
        envelope = msgspec.json.decode(path.read_bytes(), type=Envelope)
    except OSError as error:
        raise EnvelopeError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EnvelopeError(f"{path}: no envelope of version 1: {error}; {_REMEDY}") from error
    different = changes(envelope, present)
    if different:
        raise EnvelopeError(f"{path} does not hold here: {'; '.join(different)}; {_REMEDY}")
    return envelope


def changes(envelope: Envelope, present: Conditions) -> list[str]:
    """Return what an envelope depends on and is different now."""
    if envelope.source == "stack":
        return _different({"stack": (envelope.measured.stack, present.stack)})
    return differences(envelope.measured, present)


def differences(then: Conditions, now: Conditions) -> list[str]:
    """Return what is different between two conditions, apart from the date."""
    names = [name for name in Conditions.__struct_fields__ if name not in ("environment", "date")]
    pairs = {name.replace("_", " "): (getattr(then, name), getattr(now, name)) for name in names}
    old, new = then.environment, now.environment
    return _different(pairs | {name: (old.get(name), new.get(name)) for name in sorted(old | new)})


def _different(pairs: Mapping[str, tuple[str | None, str | None]]) -> list[str]:
    return [
        f"{name} was {_shown(then)} and is {_shown(now)}"
        for name, (then, now) in pairs.items()
        if then != now
    ]


def _shown(value: str | None) -> str:
    return "not set" if value is None else value or "empty"
