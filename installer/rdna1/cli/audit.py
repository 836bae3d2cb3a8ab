"""``rdna1-audit``: which convolutions of a model leave an envelope?"""

from __future__ import annotations

import argparse
import functools
import re
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rdna1.cli.output import (
    ArgumentParser,
    UsageError,
    add_report_options,
    add_version,
    run_command,
    text_style,
    write_report,
)
from rdna1.guard.envelope import Envelope, EnvelopeError
from rdna1.guard.plan import CPU

if TYPE_CHECKING:
    from rdna1.guard.audit import Call as AuditedCall
    from rdna1.guard.audit import Convolution, Direction, Shape
    from rdna1.guard.audit_exported import ExportedProgram
    from rdna1.guard.audit_onnx import OnnxModel
    from rdna1.report.audit import AuditReport, Call

_PROGRAM = "rdna1-audit"
_SHAPE = re.compile(r"[1-9]\d*(x[1-9]\d*)*")
_EXAMPLES = """\
examples:
  rdna1-audit model.py:make --input 1x3x224x224
  rdna1-audit model.py:make --input 8x3x224x224 --max-side 42
  rdna1-audit model.pt2 --max-side 42
  rdna1-audit model.onnx --input 1x3x224x224 --max-side 42
  rdna1-audit unet.py:UNet --input 1x4x64x64 --input 1 --format html --output audit.html

FACTORY is a function or class that is called without arguments and returns a torch.nn.Module.
FILE.pt2 is a program of torch.export.save; loading it may run code of it. FILE.onnx needs the
package onnx. Neither weights nor a GPU nor the network are used.

exit codes: 0 all inside, or the guard computes the others from pieces; 1 some need the CPU, with
            --strict some are outside; 2 wrong usage or unreadable input
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_PROGRAM, lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    try:
        from rdna1.guard.audit import AuditError
    except ImportError as error:
        raise UsageError(
            f"{sys.executable} cannot import torch: {error}; run it in the stack's environment"
        ) from error
    try:
        report = _report(options)
    except (AuditError, EnvelopeError) as error:
        raise UsageError(str(error)) from error
    write_report(_rendered(report, options), options.output)
    return int(bool(report.on_cpu or (options.strict and report.outside)))


def _report(options: argparse.Namespace) -> AuditReport:
    from rdna1.guard.audit import audit, pooling_that_helps
    from rdna1.report.audit import AuditedLayer, AuditReport

    envelope = _envelope(options)
    model = _model(options)
    memory = int(options.memory * 1024 * 1024)
    layers = audit(model.calls(model.shapes), envelope, memory_bytes=memory)
    outside = [layer for layer in layers if not layer.is_inside]
    calls = [call for layer in layers for call in layer.directions]
    return AuditReport(
        model=options.model,
        inputs=["x".join(map(str, shape)) for shape in model.shapes],
        max_side=envelope.max_side,
        max_workspace_bytes=envelope.max_workspace_bytes,
        limits=len(envelope.limits) + sum(len(form.limits) for form in envelope.forms),
        convolutions=len(layers),
        outside=len(outside),
        on_cpu=sum(any(call.plan.kind == CPU for call in layer.directions) for layer in layers),
        overhead=_overhead(calls),
        extra_bytes=max((call.extra_bytes for call in calls), default=0),
        pooling=pooling_that_helps(model.calls, model.shapes, envelope) if outside else None,
        exported=model.exported,
        layers=[
            AuditedLayer(
                name=layer.name,
                layer=_label(layer),
                inside=layer.is_inside,
                calls=[_call(call) for call in layer.directions],
            )
            for layer in layers
        ],
    )


def _overhead(calls: Sequence[Direction]) -> float | None:
    """Return the predicted time of all, in that without the guard."""
    if any(call.plan.kind == CPU for call in calls):
        return None
    times = [call.time for call in calls]
    total = sum(times)
    guarded = sum(time * call.overhead for time, call in zip(times, calls, strict=True))
    return round(guarded / total, 3) if total else 1.0


def _call(direction: Direction) -> Call:
    from rdna1.guard.flight import describe
    from rdna1.report.audit import Call

    layer, plan = direction.layer, direction.plan
    return Call(
        direction=layer.direction,
        side=max(layer.size),
        workspace_bytes=layer.workspace_bytes,
        exceeds=plan.reason or None,
        plan=describe(plan),
        overhead=None if plan.kind == CPU else round(direction.overhead, 3),
        extra_bytes=direction.extra_bytes,
    )


def _label(convolution: Convolution) -> str:
    """Return channels, kernel and map, as in ``64->128 3x3 at 1x64x112x112``."""
    # The direction is the last word.
    return convolution.directions[0].layer.label.rpartition(" ")[0]


def _envelope(options: argparse.Namespace) -> Envelope:
    if options.max_side is None and options.max_workspace_bytes is None:
        from rdna1.guard.activate import found

        try:
            return found(options.envelope)
        except EnvelopeError as error:
            raise UsageError(f"{error}; or give --max-side 42") from error
    if options.envelope:
        raise UsageError("--envelope holds the limits: leave out --max-side and its like")
    return Envelope(options.max_side, options.max_workspace_bytes)


class _Model(NamedTuple):
    """What is audited.

    Attributes:
        calls: returns its convolutions for inputs of some shapes.
        shapes: of the inputs.
        exported: whether it is a graph, which the guard leaves as it is.
    """

    calls: Callable[[Sequence[Shape]], list[AuditedCall]]
    shapes: Sequence[Shape]
    exported: bool


def _model(options: argparse.Namespace) -> _Model:
    """Return the model of ``FILE.py:FACTORY``, of an exported program or of an ONNX file.

    Raises:
        UsageError: there is no such file, or the shapes of the inputs are missing.
    """
    file = Path(options.model)
    if file.suffix not in (".pt2", ".onnx"):
        from rdna1.guard.audit import model_calls

        factory = _factory(options.model)
        if not options.input:
            raise UsageError("the shape of each input is missing, as in --input 1x3x224x224")
        return _Model(functools.partial(model_calls, factory), options.input, exported=False)
    if not file.is_file():
        raise UsageError(f"{file}: no such file")
    graph: ExportedProgram | OnnxModel
    if file.suffix == ".pt2":
        from rdna1.guard.audit_exported import ExportedProgram

        graph = ExportedProgram(file)
    else:
        from rdna1.guard.audit_onnx import OnnxModel

        graph = OnnxModel(file)
    return _Model(graph.calls, options.input or graph.shapes, exported=True)


def _factory(name: str) -> Callable[[], Any]:
    """Return the function of ``FILE.py:FACTORY``.

    Raises:
        UsageError: there is no such file or name in it, or it raises an error.
    """
    file, colon, factory = name.rpartition(":")
    if not colon or not factory.isidentifier():
        raise UsageError(
            f"{name}: name it as FILE.py:FACTORY, FILE.pt2 or FILE.onnx; see {_PROGRAM} --help"
        )
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"{file}: no such file")
    sys.path.insert(0, str(path.resolve().parent))
    try:
        names = runpy.run_path(file, run_name="audited")
    except Exception as error:
        raise UsageError(f"{file} raised {type(error).__name__}: {error}") from error
    if not callable(names.get(factory)):
        known = sorted(key for key, value in names.items() if callable(value) and key[0] != "_")
        raise UsageError(f"{file} has no function {factory}; it has {', '.join(known) or 'none'}")
    return names[factory]  # type: ignore[no-any-return]


def _rendered(report: AuditReport, options: argparse.Namespace) -> str:
    if options.format == "json":
        from rdna1.report.json import to_json

        return to_json(report)
    from rdna1.report.audit import audit_html, audit_text

    if options.format == "html":
        try:
            return audit_html(report)
        except ImportError as error:
            raise UsageError(f"a page needs {error.name}: pip install 'rdna1[report]'") from error
    style = text_style(options.output)
    return audit_text(report, width=style.width, colour=style.colour)


def _shape(text: str) -> tuple[int, ...]:
    if not _SHAPE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text} is not a shape such as 1x3x224x224")
    return tuple(map(int, text.split("x")))


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return int(text)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=_PROGRAM,
        description="Say which convolutions of a model leave an envelope, and what the guard does.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_version(parser)
    parser.add_argument("model", metavar="FILE", help="FILE.py:FACTORY, FILE.pt2 or FILE.onnx")
    parser.add_argument(
        "--input",
        metavar="SHAPE",
        type=_shape,
        action="append",
        help="of an input, as in 1x3x224x224; one for each input; a file has shapes of its own",
    )
    limits = parser.add_argument_group("envelope (default: that of the user, else of the machine)")
    limits.add_argument("--envelope", metavar="FILE", help="of rdna1-validate boundary")
    limits.add_argument("--max-side", metavar="N", type=_positive, help="in pixels")
    limits.add_argument("--max-workspace-bytes", metavar="N", type=_positive, help="of an image")
    parser.add_argument(
        "--memory",
        metavar="MIB",
        type=_positive,
        default=128,
        help="what the tiles of a call may take in addition (default: %(default)s)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where any convolution is outside"
    )
    add_report_options(parser, "text", "json", "html")
    return parser
