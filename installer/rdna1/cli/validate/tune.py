"""``rdna1-validate tune``: which environment does the card do best in?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rdna1.catalog.stacks import DEFAULT_STACK, load_stack
from rdna1.cli.output import UsageError, write_report
from rdna1.cli.validate.consent import add_consent
from rdna1.cli.validate.options import add_command, add_max_side, check_writable, count_of
from rdna1.cli.validate.progress import ProgressLine
from rdna1.cli.validate.runner import run_measurement
from rdna1.conv.case import ConvCase
from rdna1.fix.files import ChangedError, rewrite
from rdna1.measure.conditions import observe
from rdna1.measure.smoke import smoke_cases
from rdna1.measure.tune.candidate import Candidate, candidates
from rdna1.measure.tune.report import TuneReport
from rdna1.measure.tune.role_variables import earlier_content, role_variables
from rdna1.measure.tune.run import TunePlan, run_tune

if TYPE_CHECKING:
    from rdna1.cli.validate.options import Commands

_MAX_SIDE = 256
_MAX_HANGS = 36

_EXAMPLES = """\
examples:
  rdna1-validate tune                           on the GPU, without one on the CPU
  rdna1-validate tune --only stack,implicit-gemm --max-hangs 6
  rdna1-validate tune --write inventory/host_vars/HOST/environment.yml
  rdna1-validate tune --device sim:rules.yml    see how a broken card is tuned

exit codes: 0 a candidate passed, 1 none did or the owner did not say --yes,
            2 wrong usage or unreadable input, 130 interrupted
"""


def add_to(commands: Commands) -> None:
    """Add the parser of the subcommand."""
    parser = add_command(
        commands,
        "tune",
        "compare environments, and write the best for the environment role",
        "Try environments: families of MIOpen's algorithms, overrides, no MIOpen, channels_last.\n"
        "Each runs the smoke test in fresh workers with fresh databases; those that pass are\n"
        "ranked by the size of what works, then by speed. Where the card drives a monitor, which\n"
        "a hang may cost its session, it takes --yes.",
        _EXAMPLES,
        pages=(),
    )
    add_max_side(parser, _MAX_SIDE, "try no map higher or wider, in pixels (default: %(default)s)")
    parser.add_argument(
        "--max-hangs",
        type=count_of("hangs"),
        default=_MAX_HANGS,
        metavar="N",
        help="stop when so many workers have hung or died, all candidates together "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--stack", metavar="NAME", help="whose environment to change (default: the one installed)"
    )
    parser.add_argument(
        "--only", type=_selection, default=[], metavar="NAME,...", help="try these candidates only"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the variables of the winner there"
    )
    add_consent(parser, "measure and write without asking, also where the card drives a monitor")
    parser.set_defaults(run=_run)


def _selection(text: str) -> list[Candidate]:
    known = {candidate.name: candidate for candidate in candidates()}
    names = text.split(",")
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is not a candidate: known are {', '.join(known)}"
        )
    return [candidate for name, candidate in known.items() if name in names]


def _run(options: argparse.Namespace) -> int:
    if not smoke_cases(options.max_side):
        raise UsageError(f"--max-side {options.max_side} leaves no case to run")
    stack = load_stack(options.stack or observe(None, {}).stack or DEFAULT_STACK)
    check_writable("--write", options.write)
    if options.write:
        earlier_content(options.write)
        _check_terminal(options)
    plan = TunePlan(
        options.device, options.timeout, options.max_side, options.max_hangs, stack, options.wait
    )

    def measure(line: ProgressLine) -> TuneReport:
        def show(candidate: Candidate, case: ConvCase, lost: int) -> None:
            line.show(f"hangs {lost} of {plan.max_hangs}  {candidate.name}  {case.label}")

        return run_tune(plan, options.only or candidates(), show, line.wait)

    def after(report: TuneReport) -> None:
        if options.write and not report.was_interrupted:
            _write(report, options)

    return run_measurement(options, measure, after=after)


def _check_terminal(options: argparse.Namespace) -> None:
    if not options.yes and not (sys.stdin and sys.stdin.isatty()):
        raise UsageError("there is no terminal to ask on: use --yes, or leave out --write")


def _write(report: TuneReport, options: argparse.Namespace) -> None:
    """Write what the role needs, after asking; what happened goes to standard error."""
    file: Path = options.write
    winner = next((each for each in candidates() if each.name == report.for_role), None)
    if winner is None:
        _say(f"--write {file}: nothing to write, as no candidate passed that variables make")
        return
    place = f" on {report.device.name}" if report.device else ""
    heading = f"rdna1-validate tune: {winner.name} did best{place} with {report.stack}"
    text = role_variables(winner, " ".join(heading.split()))
    if not options.yes and not _confirmed(text, file):
        _say("nothing was written")
        return
    earlier = earlier_content(file)
    if earlier is None:
        write_report(text, file)
        _say(f"wrote {file}")
        return
    try:
        backup = rewrite(file.resolve(), earlier, text.encode())
    except (OSError, ChangedError) as error:
        raise UsageError(f"--write {file}: {error}") from error
    _say(f"wrote {file} (backup: {backup})")


def _confirmed(text: str, file: Path) -> bool:
    print(text, file=sys.stderr, end="")
    print(f"Write this to {file}? [y/N] ", file=sys.stderr, end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(text: str) -> None:
    print(f"rdna1-validate: {text}", file=sys.stderr)
