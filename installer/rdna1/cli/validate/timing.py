"""``rdna1-validate timing``: how long do convolutions take, cold and warm?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from rdna1.cli.output import UsageError
from rdna1.cli.validate.consent import add_consent
from rdna1.cli.validate.grid_options import add_grid_options, chosen_values
from rdna1.cli.validate.options import (
    add_command,
    add_max_hangs,
    add_max_side,
    count_of,
)
from rdna1.cli.validate.progress import ProgressLine
from rdna1.cli.validate.runner import run_measurement
from rdna1.conv.case import ConvCase
from rdna1.measure.sweep.grid import Grid, combinations, expand
from rdna1.measure.timing import TimingPlan, TimingReport, TimingStep, run_timing, timing_cases

if TYPE_CHECKING:
    from rdna1.cli.validate.options import Commands

_REPEAT = 5
_MAX_HANGS = 12

_EXAMPLES = """\
examples:
  rdna1-validate timing                          on the GPU, without one on the CPU
  rdna1-validate timing --max-side 42 --repeat 21
  rdna1-validate timing --channels '16->32' --side 32:224:32 --direction forward,backward

exit codes: 0 all passed, 1 some did not or the owner did not say --yes,
            2 wrong usage or unreadable input, 130 interrupted
"""


def add_to(commands: Commands) -> None:
    """Add the parser of the subcommand."""
    parser = add_command(
        commands,
        "timing",
        "time convolutions, cold in a fresh process and warm",
        "Time convolutions: each in a fresh process with empty MIOpen databases, first cold,\n"
        "then warm. Without a grid it takes 16->32 3x3 at sides of 32 to 224, and layers of\n"
        "common networks. Where the card drives a monitor, which a hang may cost its session, it\n"
        "takes --yes.",
        _EXAMPLES,
    )
    add_max_side(parser, None, "leave out layers whose input or output has a longer side")
    parser.add_argument(
        "--repeat",
        type=count_of("runs"),
        default=_REPEAT,
        metavar="N",
        help="warm runs of each case, whose median counts (default: %(default)s)",
    )
    add_max_hangs(parser, _MAX_HANGS)
    add_grid_options(parser)
    add_consent(parser, "measure without asking, also where the card drives a monitor")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    cases = _cases(options)
    if not cases:
        raise UsageError("no case is left to time; see --max-side and the grid")
    plan = TimingPlan(options.device, options.timeout, options.repeat, options.max_hangs, cases)

    def measure(line: ProgressLine) -> TimingReport:
        def show(step: TimingStep) -> None:
            line.show(f"hangs {step.lost} of {plan.max_hangs}  {step.case.label}", step.done)

        return run_timing(plan, show, wait=options.wait, on_wait=line.wait)

    return run_measurement(options, measure, total=len(cases))


def _cases(options: argparse.Namespace) -> list[ConvCase]:
    given = chosen_values(options)
    if not given:
        return timing_cases(options.max_side)
    grid = msgspec.structs.replace(Grid(), **given, max_side=options.max_side)
    return combinations(expand(grid)).cases
