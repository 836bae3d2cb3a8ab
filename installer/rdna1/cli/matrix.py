"""``rdna1-preflight matrix``: which stack goes where."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rdna1.cli.output import add_report_options, text_style, write_report

if TYPE_CHECKING:
    from rdna1.cli.output import ArgumentParser

_EXAMPLES = """\
examples:
  rdna1-preflight matrix                           as text
  rdna1-preflight matrix --format markdown         for a page of documentation
  rdna1-preflight matrix --format json --output matrix.json
"""


def add_command(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "matrix",
        help="show which stack goes on which release and card",
        description="Show which stack goes on which release and card, and why not.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_report_options(parser, "text", "markdown", "json")


def run(options: argparse.Namespace) -> int:
    """Write the matrix of all stacks.

    Args:
        options: as `add_command` defines them.

    Returns:
        0.
    """
    write_report(_rendered(options.format, options.output), options.output)
    return 0


def _rendered(form: str, output: Path | None) -> str:
    # Imported where it is used: other commands shall not pay for it.
    from rdna1.catalog.cards import card_list
    from rdna1.catalog.stacks import load_stack, stack_names
    from rdna1.preflight.matrix import matrix

    made = matrix(map(load_stack, stack_names()), card_list())
    if form == "json":
        from rdna1.report.json import to_json

        return to_json(made)
    from rdna1.report.matrix import matrix_markdown, matrix_text

    if form == "markdown":
        return matrix_markdown(made)
    style = text_style(output)
    return matrix_text(made, width=style.width, colour=style.colour)
