"""``rdna1-validate``: what can this machine's card compute?

Each subcommand is one module, which adds its parser and runs it; `rdna1.measure.verbs` lists the
measurements.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from rdna1.cli.output import ArgumentParser, UsageError, add_version, run_command
from rdna1.conv.result import UnusableDeviceError
from rdna1.measure.verbs import VERBS

_PROGRAM = "rdna1-validate"

_EXAMPLES = """\
examples:
  rdna1-validate smoke                          on the GPU, without one on the CPU
  rdna1-validate smoke --device cuda:1 --timeout 30
  rdna1-validate boundary --envelope envelope.json
  rdna1-validate timing --max-side 42
  rdna1-validate sweep --side 8:64:8 --channels '16->32,64->64' --output sweep.txt
  rdna1-validate boundary --device sim:rules.yml   see what a broken card looks like

rules.yml, where the first rule that holds decides:
  - {when: "max(h, w) > 40", outcome: hang}
  - {when: "direction == 'backward' and kh > 3", outcome: wrong}

exit codes: 0 passed, 1 failed, 2 wrong usage or unreadable input,
            130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 passed, 1 failed, 2 wrong usage or unreadable input, 130 interrupted.
    """
    return run_command(_PROGRAM, lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except UnusableDeviceError as error:
        raise UsageError(str(error)) from error
    return code


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=_PROGRAM,
        description="Run convolutions in a process that can be killed, and check their results.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_version(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in [*(verb.name for verb in VERBS), "report"]:
        import_module(f"rdna1.cli.validate.{name}").add_to(commands)
    return parser
