"""``rdna1-preflight explain`` and ``list``: what the checks are and why they exist."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rdna1.cli.output import text_style, write_report

if TYPE_CHECKING:
    from rdna1.cli.output import ArgumentParser


def add_commands(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Add both commands and their arguments."""
    explain = commands.add_parser("explain", help="say why a check exists", allow_abbrev=False)
    explain.add_argument("id", metavar="ID", help="of a check, as list names it")
    commands.add_parser("list", help="list the checks", allow_abbrev=False)


def run_explain(options: argparse.Namespace) -> int:
    """Say why a check exists.

    Returns:
        0.

    Raises:
        InputError: there is no such check.
    """
    # Imported where it is used: other commands shall not pay for it.
    import textwrap

    from rdna1.preflight import find_check

    check = find_check(options.id)
    title = f"{check.id}: {check.title}" + (" (strict: cannot be ignored)" if check.strict else "")
    paragraphs = [title, *check.explanation.split("\n\n")]
    if check.needs:
        paragraphs.append(f"Runs only if these pass: {', '.join(check.needs)}")
    width = text_style(None).width
    text = "\n\n".join(textwrap.fill(" ".join(part.split()), width) for part in paragraphs)
    # Not wrapped: a reference is copied into a search.
    references = "\n".join(f"  {reference}" for reference in check.references)
    write_report(f"{text}\n\nReferences:\n{references}", None)
    return 0


def run_list(_: argparse.Namespace) -> int:
    """Print id and title of each check.

    Returns:
        0.
    """
    from rdna1.preflight import CHECKS

    width = max(len(check.id) for check in CHECKS)
    lines = [
        f"{check.id:{width}}  {check.title}{' (strict)' if check.strict else ''}"
        for check in CHECKS
    ]
    write_report("\n".join(lines), None)
    return 0
