"""``rdna1-validate smoke``: do ordinary small convolutions work?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rdna1.cli.output import UsageError
from rdna1.cli.validate.options import add_command, add_max_side
from rdna1.cli.validate.progress import ProgressLine
from rdna1.cli.validate.runner import run_measurement
from rdna1.measure.smoke import SmokeReport, run_smoke, smoke_cases

if TYPE_CHECKING:
    from rdna1.cli.validate.options import Commands

_EXAMPLES = """\
examples:
  rdna1-validate smoke                          on the GPU, without one on the CPU
  rdna1-validate smoke --device cuda:1 --timeout 30
  rdna1-validate smoke --format json --output smoke.json
  rdna1-validate smoke --device sim:rules.yml   see what a broken card looks like

exit codes: 0 passed, 1 failed, 2 wrong usage or unreadable input,
            130 interrupted
"""


def add_to(commands: Commands) -> None:
    """Add the parser of the subcommand."""
    parser = add_command(
        commands,
        "smoke",
        "run ordinary small convolutions, forward and backward",
        "Run ordinary small convolutions, forward and backward, and compare each\n"
        "result with a float64 reference computed on the CPU.",
        _EXAMPLES,
    )
    add_max_side(
        parser, None, "leave out layers whose input or output has a longer side, in pixels"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    cases = smoke_cases(options.max_side)
    if not cases:
        raise UsageError(f"--max-side {options.max_side} leaves no case to run")
    place = {case: number for number, case in enumerate(cases)}

    def measure(line: ProgressLine) -> SmokeReport:
        return run_smoke(
            options.device,
            options.timeout,
            cases,
            lambda case: line.show(case.label, place[case]),
            wait=options.wait,
            on_wait=line.wait,
        )

    return run_measurement(options, measure, total=len(cases))
