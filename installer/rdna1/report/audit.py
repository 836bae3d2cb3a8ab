"""Which convolutions of a model leave an envelope: for users, as a page and as data."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

import msgspec
from rich.table import Table
from rich.text import Text

from rdna1.report.console import as_text, printable

_MIB = 1024 * 1024


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A convolution or a gradient of one.

    Attributes:
        direction: ``forward``, ``backward-data`` or ``backward-weights``.
        side: largest side of the map in pixels.
        workspace_bytes: im2col workspace of an image.
        exceeds: what it exceeds of the envelope; None if it is inside.
        plan: how the guard computes it.
        overhead: predicted time of the plan in that of one call; None on the CPU.
        extra_bytes: what the plan takes in addition.
    """

    direction: str
    side: int
    workspace_bytes: int
    exceeds: str | None
    plan: str
    overhead: float | None
    extra_bytes: int


class AuditedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a convolution in a model.

    Attributes:
        name: of the layer in the model, empty for a call of a function.
        layer: channels, kernel and map.
        inside: whether it and its gradients keep the envelope.
        calls: the forward one first.
    """

    name: str
    layer: str
    inside: bool
    calls: list[Call]


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``rdna1-audit`` finds.

    Attributes:
        model: as it was named on the command line.
        inputs: shapes.
        max_side: of the envelope.
        max_workspace_bytes: of the envelope.
        limits: number of its finer limits, which count in place of both where there are any.
        convolutions: their number.
        outside: number of those that leave the envelope, gradients included.
        on_cpu: number of those that no pieces inside it compute.
        overhead: predicted for all convolutions and gradients, in their time without the guard;
            None if any is on the CPU.
        extra_bytes: the most that any plan takes in addition.
        pooling: by how much the inputs have to be pooled for all to be inside; None for no help.
        exported: whether it is a graph, which the guard leaves as it is.
        layers: in the order of their calls.
    """

    schema_version: Literal[1] = 1
    kind: Literal["audit"] = "audit"
    model: str
    inputs: list[str]
    max_side: int | None
    max_workspace_bytes: int | None
    limits: int
    convolutions: int
    outside: int
    on_cpu: int
    overhead: float | None
    extra_bytes: int
    pooling: int | None
    exported: bool = False
    layers: list[AuditedLayer]


def audit_text(report: AuditReport, *, width: int, colour: bool) -> str:
    """Write a report as text: what is outside, totals, advice.

    Args:
        report: of one model.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
    """
    outside = [layer for layer in report.layers if not layer.inside]
    return as_text(
        Text(printable(f"{report.model} at {', '.join(report.inputs)}"), "bold"),
        Text(f"envelope: {envelope_line(report)}"),
        *([_table(outside)] if outside else []),
        "",
        *(Text(f"=> {line}") for line in advice(report)),
        Text(verdict(report), "bold green" if not report.outside else "bold yellow"),
        width=width,
        colour=colour,
    )


def envelope_line(report: AuditReport) -> str:
    """Return the envelope in a few words."""
    if report.limits:
        return f"{report.limits} limits by class of layers"
    parts = [
        f"sides up to {report.max_side}" if report.max_side else "",
        f"workspaces up to {report.max_workspace_bytes:,} bytes"
        if report.max_workspace_bytes
        else "",
    ]
    return " and ".join(filter(None, parts)) or "no limit"


def verdict(report: AuditReport) -> str:
    """Return the report in one line."""
    inside = report.convolutions - report.outside
    parts = [f"{report.convolutions} convolutions: {inside} inside, {report.outside} outside"]
    if report.on_cpu:
        parts.append(f"{report.on_cpu} on the CPU")
    elif report.outside and report.overhead:
        parts.append(f"with the guard {report.overhead:.2f} times the time (predicted)")
        parts.append(f"{-(-report.extra_bytes // _MIB)} MiB more")
    return ", ".join(parts)


def advice(report: AuditReport) -> list[str]:
    """Return what the owner of the model can do."""
    lines = []
    if report.outside and report.exported:
        lines.append("the guard leaves an exported graph as it is: run the Python model under it")
    elif report.outside > report.on_cpu:
        lines.append("python -m rdna1.guard SCRIPT computes them from pieces, with the same values")
    if report.on_cpu:
        lines.append(f"{report.on_cpu} cannot be computed from pieces: the guard uses the CPU")
    if report.outside and report.pooling:
        by = f"{report.pooling}x{report.pooling}"
        lines.append(f"inputs that are pooled by {by} first bring all of them inside")
    return lines


def audit_html(report: AuditReport) -> str:
    """Write a page that needs nothing but itself: no script, no request, no font."""
    # Of a machine that only audits as text, jinja2 may be missing.
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    source = files("rdna1.report").joinpath("audit.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        report=report,
        envelope=envelope_line(report),
        verdict=verdict(report),
        advice=advice(report),
        picture=_Picture(report),
    )


class _Bar(msgspec.Struct, frozen=True):
    x: float
    y: float
    height: float
    inside: bool
    title: str


class _Picture:
    """A bar for each convolution: its side, or its workspace where there is a limit of that alone.

    Attributes:
        quantity: what the bars show.
        width: of the drawing.
        height: of the drawing.
        bars: of the convolutions.
        limit: height of the limit's line; None without such a limit.
        limit_label: its value.
        most: the largest value.
    """

    width, height = 900, 240

    def __init__(self, report: AuditReport) -> None:
        by_side = report.max_side is not None or report.max_workspace_bytes is None
        self.quantity = "largest side of the map, pixels" if by_side else "workspace, bytes"
        values = [
            max(call.side if by_side else call.workspace_bytes for call in layer.calls)
            for layer in report.layers
        ]
        limit = report.max_side if by_side else report.max_workspace_bytes
        limit = None if report.limits else limit
        self.most = max([*values, limit or 0, 1])
        step = self.width / max(len(values), 1)
        self.bar_width = max(1.0, step * 0.7)
        self.bars = [
            _Bar(
                round(index * step, 1),
                round(self._y(value), 1),
                round(self.height - self._y(value), 1),
                layer.inside,
                f"{layer.name or 'function'}: {layer.layer}",
            )
            for index, (value, layer) in enumerate(zip(values, report.layers, strict=True))
        ]
        self.limit = None if limit is None else round(self._y(limit), 1)
        self.limit_label = "" if limit is None else f"{limit:,}"

    def _y(self, value: float) -> float:
        return self.height * (1 - value / self.most)


def _table(layers: list[AuditedLayer]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("convolution", overflow="fold")
    table.add_column("exceeds", overflow="fold")
    table.add_column("with the guard", overflow="fold")
    table.add_column("time", justify="right")
    for layer in layers:
        worst = max(layer.calls, key=lambda call: (call.exceeds is not None, call.overhead or 1e9))
        table.add_row(
            printable(layer.name or "-"),
            layer.layer,
            worst.exceeds or "",
            worst.plan,
            "CPU" if worst.overhead is None else f"{worst.overhead:.2f}x",
        )
    return table
