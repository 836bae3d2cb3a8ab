"""``rdna1-validate boundary``: up to which size do convolutions work, and what decides it?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rdna1.cli.validate.consent import add_consent
from rdna1.cli.validate.envelope_file import write_envelope
from rdna1.cli.validate.options import (
    add_command,
    add_max_hangs,
    add_max_side,
    check_writable,
)
from rdna1.cli.validate.progress import ProgressLine
from rdna1.cli.validate.runner import run_measurement
from rdna1.measure.boundary.investigation import Step
from rdna1.measure.boundary.report import BoundaryReport, RouteName
from rdna1.measure.boundary.run import BoundaryPlan, run_boundary
from rdna1.measure.envelope import EnvelopeError, measured_envelope

if TYPE_CHECKING:
    from rdna1.cli.validate.options import Commands

_MAX_SIDE = 512
_MAX_HANGS = 12

_EXAMPLES = """\
examples:
  rdna1-validate boundary                       on the GPU, without one on the CPU
  rdna1-validate boundary --envelope envelope.json --format json --output boundary.json
  rdna1-validate boundary --max-side 128 --max-hangs 5
  rdna1-validate boundary --route bypass --route matmul --envelope envelope.json
  rdna1-validate boundary --yes                 although the card drives a monitor
  rdna1-validate boundary --device sim:rules.yml   see what a broken card looks like

With --output FILE each result is also kept in FILE.journal; the same command goes on
from there after an interruption, a reset or a reboot, and with a higher --max-hangs
where those were used up. It removes the journal at the end.

exit codes: 0 the limit is known, or there is none up to --max-side,
            1 it is not known, nothing passes, or the owner did not say --yes,
            2 wrong usage or unreadable input, 130 interrupted
"""


def add_to(commands: Commands) -> None:
    """Add the parser of the subcommand."""
    parser = add_command(
        commands,
        "boundary",
        "find the size up to which convolutions work, and the rule behind it",
        "Find the largest square map on which a 3x3 convolution from 16 to 32 channels works, to\n"
        "one pixel, and whether its side or its im2col workspace decides. Each hang may cost a\n"
        "reset of the card, which ends the graphical session on it: the search takes as few as\n"
        "it can, asks on a terminal, and is refused without --yes where the card drives a monitor.",
        _EXAMPLES,
    )
    add_max_side(parser, _MAX_SIDE, "try no map higher or wider, in pixels (default: %(default)s)")
    add_max_hangs(parser, _MAX_HANGS)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="try 3x3 layers in float32 only, forward and gradients",
    )
    parser.add_argument(
        "--envelope", type=Path, metavar="FILE", help="also write the limit there, for programs"
    )
    parser.add_argument(
        "--route",
        action="append",
        choices=get_args(RouteName),
        default=[],
        help="also measure layers without MIOpen (bypass), or 1x1 layers as matrix products\n"
        "(matmul), for rdna1.guard; may be given twice",
    )
    add_consent(parser, "measure without asking, also where the card drives a monitor")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    check_writable("--envelope", options.envelope)

    def measure(line: ProgressLine) -> BoundaryReport:
        return run_boundary(
            _plan(options),
            lambda step: line.show(_status(step, options.max_hangs)),
            wait=options.wait,
            on_wait=line.wait,
        )

    def after(report: BoundaryReport) -> None:
        if options.envelope:
            _write_envelope(report, options.envelope)

    return run_measurement(options, measure, after=after)


def _plan(options: argparse.Namespace) -> BoundaryPlan:
    return BoundaryPlan(
        options.device,
        options.timeout,
        options.max_side,
        options.max_hangs,
        "quick" if options.quick else "full",
        options.output and options.output.with_name(f"{options.output.name}.journal"),
        tuple(dict.fromkeys(options.route)),
    )


def _write_envelope(report: BoundaryReport, file: Path) -> None:
    """Write the envelope; a limit that is not known leaves the file as it is, and says so."""
    try:
        write_envelope(measured_envelope(report), file)
    except EnvelopeError as error:
        print(f"rdna1-validate: --envelope {file}: {error}", file=sys.stderr)


def _status(step: Step, max_hangs: int) -> str:
    limit = f"{step.safe}..{step.bad}" if step.bad else f"above {step.safe}"
    subject = step.subject or f"limit {limit}"
    return f"hangs {step.lost} of {max_hangs}  {subject}  {step.case.layer}"
