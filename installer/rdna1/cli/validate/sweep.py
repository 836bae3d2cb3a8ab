"""``rdna1-validate sweep``: which convolutions of a grid work?"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rdna1.catalog.yaml_data import load
from rdna1.cli.output import UsageError
from rdna1.cli.validate.consent import add_consent
from rdna1.cli.validate.grid_options import add_grid_options, chosen_values
from rdna1.cli.validate.options import add_command, add_max_hangs, add_max_side
from rdna1.cli.validate.progress import ProgressLine
from rdna1.cli.validate.runner import run_measurement
from rdna1.measure.sweep.grid import Grid, combinations, expand
from rdna1.measure.sweep.report import SweepReport
from rdna1.measure.sweep.run import SweepPlan, SweepStep, run_sweep
from rdna1.measure.sweep.shard import WHOLE, Shard, cases_of

if TYPE_CHECKING:
    from rdna1.cli.validate.options import Commands

_MAX_HANGS = 12

_EXAMPLES = """\
examples:
  rdna1-validate sweep --side 8:512:8 --channels '16->32,64->64' --kernel 1,3,5
  rdna1-validate sweep --grid grid.yml --format json --output sweep.json
  rdna1-validate sweep --grid grid.yml --shard 1/2 --format json --output 1.json
  rdna1-validate report 1.json 2.json            merges the shards

With --output FILE each result is also kept in FILE.journal; the same command goes on
from there after an interruption, and removes it at the end.

exit codes: 0 all passed, 1 some did not or the owner did not say --yes,
            2 wrong usage or unreadable input, 130 interrupted
"""


def add_to(commands: Commands) -> None:
    """Add the parser of the subcommand."""
    parser = add_command(
        commands,
        "sweep",
        "run every legal combination of lists of values",
        "Run every legal convolution of a grid. A grid is a YAML file with a list for each\n"
        "attribute, or options, which replace the lists of the file. Where the card drives a\n"
        "monitor, which a hang may cost its session, it takes --yes.",
        _EXAMPLES,
    )
    parser.add_argument("--grid", type=Path, metavar="FILE", help="lists of values, in YAML")
    add_max_side(parser, None, "leave out cases whose input or output has a longer side")
    add_max_hangs(parser, _MAX_HANGS)
    parser.add_argument(
        "--shard", type=_shard, default=WHOLE, metavar="I/N", help="run only part I of N"
    )
    add_grid_options(parser)
    add_consent(parser, "measure without asking, also where the card drives a monitor")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    plan = _plan(options)

    def measure(line: ProgressLine) -> SweepReport:
        def show(step: SweepStep) -> None:
            line.show(f"hangs {step.lost} of {plan.max_hangs}  {step.case.label}", step.done)

        return run_sweep(plan, show, wait=options.wait, on_wait=line.wait)

    return run_measurement(
        options,
        measure,
        total=len(cases_of(plan.shard, plan.found.cases)),
        after=lambda report: _say_how_to_resume(report, plan),
    )


def _say_how_to_resume(report: SweepReport, plan: SweepPlan) -> None:
    part = report.parts[0]
    if not part.stopped:
        return
    advice = "with --output FILE it could be resumed"
    if plan.journal:
        more = f" with --max-hangs above {plan.max_hangs}" if "hang budget" in part.stopped else ""
        advice = f"the same command{more} goes on from {plan.journal}"
    print(f"rdna1-validate: {part.not_run} cases were not run; {advice}", file=sys.stderr)


def _plan(options: argparse.Namespace) -> SweepPlan:
    grid = load(options.grid, Grid) if options.grid else Grid()
    given = chosen_values(options)
    if options.max_side is not None:
        given["max_side"] = options.max_side
    grid = expand(msgspec.structs.replace(grid, **given))
    found = combinations(grid)
    if not cases_of(options.shard, found.cases):
        raise UsageError(
            f"no case to run: {found.illegal} combinations are invalid, {found.too_large} are "
            f"beyond the largest side, {len(found.cases)} are left for {options.shard.of} shards"
        )
    journal = options.output and options.output.with_name(f"{options.output.name}.journal")
    return SweepPlan(
        options.device, options.timeout, options.max_hangs, grid, found, options.shard, journal
    )


def _shard(text: str) -> Shard:
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    if not found or int(found[1]) > int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a shard: use 1/3, 2/3 or 3/3")
    return Shard(int(found[1]), int(found[2]))
