"""The limits within which a card is known to work, as the envelope file holds them."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .layer import FORWARD, Layer, attributes, quantities


class EnvelopeError(ValueError):
    """A file that is not an envelope; one line with the path and the remedy."""


class Limit(NamedTuple):
    """A quantity that must not be exceeded where a layer is of some kind.

    Attributes:
        quantity: a key of `layer.quantities`.
        most: its largest value.
        when: pairs of an attribute (`layer.attributes`) and what it must be: a tuple of values,
            or a `Range`. Without any it holds for all layers.
    """

    quantity: str
    most: float
    when: tuple[tuple[str, tuple[object, ...] | Range], ...] = ()


class Range(NamedTuple):
    """Numbers from ``least`` to ``most``, both included."""

    least: float
    most: float


class Pair(NamedTuple):
    """The two limits that every envelope has; None is no limit."""

    max_side: int | None = None
    max_workspace_bytes: int | None = None


class Form(NamedTuple):
    """Limits of layers of another form than two-dimensional ones in the usual memory order.

    Attributes:
        dims: spatial dimensions; one counts as two, as torch hands it to its backends.
        channels_last: whether the channels vary fastest in memory.
        limits: as those of the envelope.
    """

    dims: int
    channels_last: bool
    limits: tuple[Limit, ...]


@dataclass(frozen=True)
class Envelope:
    """Limits that a convolution must keep; without any, everything is allowed.

    Attributes:
        max_side: largest height and width of a map in pixels.
        max_workspace_bytes: largest im2col workspace of an image in bytes.
        backward: the same two for gradients; None where those above hold for them, too.
        limits: finer ones, of two-dimensional layers in the usual memory order; where there are
            any, the pairs above are not looked at.
        forms: those of other layers. Where there are any limits, a form without any was not
            tried, and nothing of it is allowed.
        bypass: limits of torch's own im2col and matrix product, without MIOpen; None where it was
            not measured.
        matmul: limits of the plain matrix product as a 1x1 convolution, likewise.
        measured: where and with what it was measured, empty if unknown.
        source: file that it was read from, empty if none.
    """

    max_side: int | None = None
    max_workspace_bytes: int | None = None
    backward: Pair | None = None
    limits: tuple[Limit, ...] = ()
    measured: tuple[tuple[str, object], ...] = ()
    source: str = ""
    forms: tuple[Form, ...] = ()
    bypass: Pair | None = None
    matmul: Pair | None = None

    def __post_init__(self) -> None:
        """Refuse limits below 1, which nothing keeps."""
        for name in Pair._fields:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")

    def __hash__(self) -> int:
        """Return one that is computed once: there may be hundreds of limits."""
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        pairs = self.max_side, self.max_workspace_bytes, self.backward, self.bypass, self.matmul
        return hash((pairs, self.limits, self.forms))

    def allows(self, layer: Layer) -> bool:
        """Tell whether a layer keeps all limits."""
        return self.broken_limit(layer) is None

    def broken_limit(self, layer: Layer) -> str | None:
        """Return what a layer exceeds, as in ``side 224 above 42``, or None."""
        if not self.limits and not self.forms:
            side, workspace = self._pair(layer)
            if side is not None and max(layer.size) > side:
                return f"side {max(layer.size)} above {side}"
            if workspace is not None and layer.workspace_bytes > workspace:
                return f"workspace {layer.workspace_bytes} above {workspace} bytes"
            return None
        limits = self._limits_of_form(layer)
        if not limits:
            order = "channels_last" if layer.channels_last else "contiguous"
            return f"{len(layer.size)}d {order} was not measured"
        values, kinds = quantities(layer), attributes(layer)
        for limit in limits:
            value = values[limit.quantity]
            if value > limit.most and _holds(limit, kinds):
                return f"{limit.quantity} {value} above {limit.most:g}"
        return None

    def _limits_of_form(self, layer: Layer) -> tuple[Limit, ...]:
        """Return the limits of a layer's form.

        A transposed convolution has those of the plain one whose gradient it is: to a backend it
        is the same call.
        """
        form = max(len(layer.size), 2), layer.channels_last
        if form == (2, False):
            return self.limits
        return next((each.limits for each in self.forms if each[:2] == form), ())

    def _pair(self, layer: Layer) -> tuple[int | None, int | None]:
        """Return the pair of a layer's direction; both of them where it may run as either."""
        if layer.direction == FORWARD or self.backward is None:
            return self.max_side, self.max_workspace_bytes
        if layer.transposed:
            return (
                _smaller(self.max_side, self.backward.max_side),
                _smaller(self.max_workspace_bytes, self.backward.max_workspace_bytes),
            )
        return self.backward


def load(path: str | Path) -> Envelope:
    """Read an envelope file.

    Raises:
        EnvelopeError: it cannot be read, or is not an envelope of schema version 1.
    """
    remedy = "Remedy: rdna1-validate boundary --envelope FILE"
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return _parse(content, str(path))
    except OSError as error:
        raise EnvelopeError(f"{path}: {error.strerror}. {remedy}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EnvelopeError(f"{path} is not an envelope of version 1: {error}. {remedy}") from error


def _parse(content: dict[str, Any], source: str) -> Envelope:
    if content["schema_version"] != 1:
        raise ValueError(f"schema_version is {content['schema_version']!r}")
    return Envelope(
        *_pair(content),
        backward=_optional_pair(content, "backward"),
        limits=tuple(map(_limit, content.get("limits") or ())),
        forms=tuple(_form(each) for each in content.get("forms") or () if not each["transposed"]),
        bypass=_optional_pair(content.get("routes") or {}, "bypass"),
        matmul=_optional_pair(content.get("routes") or {}, "matmul"),
        measured=tuple(
            (name, value)
            for name, value in (content.get("measured") or {}).items()
            if isinstance(value, str)
        ),
        source=source,
    )


def _pair(content: Mapping[str, Any]) -> Pair:
    values = [content[name] for name in Pair._fields]
    for name, value in zip(Pair._fields, values, strict=True):
        if value is not None and (type(value) is not int or value < 1):
            raise ValueError(f"{name} is {value!r}")
    return Pair(*values)


def _optional_pair(content: Mapping[str, Any], name: str) -> Pair | None:
    found = content.get(name)
    return None if found is None else _pair(found)


def _form(content: Mapping[str, Any]) -> Form:
    dims, order = content["dims"], content["memory_format"]
    if dims not in (1, 2, 3) or order not in ("contiguous", "channels_last"):
        raise ValueError(f"form of dims {dims!r} and memory_format {order!r}")
    return Form(dims, order == "channels_last", tuple(map(_limit, content["limits"])))


def _limit(content: Mapping[str, Any]) -> Limit:
    quantity, most = content["quantity"], content["max"]
    if quantity not in quantities(_ANY) or type(most) not in (int, float):
        raise ValueError(f"limit {quantity!r} of {most!r}")
    return Limit(quantity, most, tuple(map(_condition, content.get("when", {}).items())))


def _condition(item: tuple[str, Any]) -> tuple[str, tuple[object, ...] | Range]:
    name, wanted = item
    if name not in attributes(_ANY):
        raise ValueError(f"unknown attribute {name!r}")
    if isinstance(wanted, dict):
        unknown = wanted.keys() - {"min", "max"}
        if unknown:
            raise ValueError(f"{name}: unknown key {min(unknown)!r}")
        return name, Range(wanted.get("min", -math.inf), wanted.get("max", math.inf))
    if not isinstance(wanted, list):
        raise TypeError(f"{name} is {wanted!r}")
    return name, tuple(wanted)


def _holds(limit: Limit, kinds: Mapping[str, tuple[object, ...]]) -> bool:
    return all(_matches(wanted, kinds[name]) for name, wanted in limit.when)


def _matches(wanted: tuple[object, ...] | Range, values: tuple[object, ...]) -> bool:
    if isinstance(wanted, Range):
        numbers = (value for value in values if isinstance(value, int))
        return any(wanted.least <= value <= wanted.most for value in numbers)
    return any(value in wanted for value in values)


def _smaller(one: int | None, other: int | None) -> int | None:
    known = [limit for limit in (one, other) if limit is not None]
    return min(known) if known else None


_ANY = Layer(FORWARD, 1, 1, 1, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1), 1)
