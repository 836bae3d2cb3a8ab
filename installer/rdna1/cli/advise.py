"""``rdna1-preflight advise``: which stack suits a machine, and what else can be done."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rdna1.cli.machine import add_machine, read_facts
from rdna1.cli.output import add_report_options, text_style, write_report

if TYPE_CHECKING:
    from rdna1.cli.output import ArgumentParser
    from rdna1.preflight.advice import Advice

_EXAMPLES = """\
examples:
  rdna1-preflight advise                           for this machine
  rdna1-preflight advise --root /mnt               for a mounted disk
  rdna1-preflight facts | rdna1-preflight advise --facts - --format json

exit codes: 0 a stack can go on the machine now, 1 none can, 2 wrong usage
"""


def add_command(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "advise",
        help="name the best stack for a machine, and other ways to go",
        description="Assess a machine for every stack, name the best, and weigh other ways to go.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_machine(parser)
    add_report_options(parser, "text", "json")


def run(options: argparse.Namespace) -> int:
    """Write the advice for a machine.

    Args:
        options: as `add_command` defines them.

    Returns:
        0 when a stack can go on the machine now, else 1.
    """
    # Imported where it is used: other commands shall not pay for it.
    from rdna1.catalog.cards import card_list
    from rdna1.catalog.recommendations import recommendations
    from rdna1.catalog.stacks import load_stack, stack_names
    from rdna1.preflight.advice import advise

    stacks = map(load_stack, stack_names())
    advice = advise(read_facts(options), stacks, card_list(), recommendations())
    write_report(_rendered(advice, options.format, options.output), options.output)
    return 0 if advice.proceed else 1


def _rendered(advice: Advice, form: str, output: Path | None) -> str:
    if form == "json":
        from rdna1.report.json import to_json

        return to_json(advice)
    from rdna1.report.advice import advice_text

    style = text_style(output)
    return advice_text(advice, width=style.width, colour=style.colour)
