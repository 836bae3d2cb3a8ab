"""``rdna1-preflight fix``: the remedies that are safe to automate."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from rdna1.cli.machine import add_root, add_user, collect_facts
from rdna1.cli.output import UsageError, text_style, write_report

if TYPE_CHECKING:
    from rdna1.cli.output import ArgumentParser
    from rdna1.fix import Action, FixPlan, Result


def add_command(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "fix",
        help="apply the remedies that are safe to automate",
        description="Take MIOPEN_FIND_ENFORCE out of files (a backup stays next to each), add the "
        "users to the groups of the card, let dpkg finish what it began.",
        allow_abbrev=False,
    )
    add_root(parser)
    add_user(parser)
    parser.add_argument(
        "--all-users", action="store_true", help="the start files of everybody, not of some users"
    )
    parser.add_argument(
        "--only-settings", action="store_true", help="leave groups and packages as they are"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be done")
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def run(options: argparse.Namespace) -> int:
    """Show the plan, ask, and do it.

    Returns:
        0 done or nothing to do, 1 something failed or the user said no.

    Raises:
        UsageError: no root, or no terminal to ask on.
    """
    # Of no use to the other commands, whose time counts.
    from rdna1.fix import apply, plan, review
    from rdna1.preflight import load_facts

    facts = load_facts(collect_facts(options))
    planned = review(plan(facts, only_settings=options.only_settings), facts.root)
    if planned.actions and not options.dry_run:
        _check_right(facts.root)
        _check_terminal(options)
    write_report(_shown(planned, dry_run=options.dry_run), None)
    if options.dry_run or not planned.actions:
        return 0
    if not (options.yes or _confirmed()):
        write_report("nothing was changed", None)
        return 1
    failed = False
    for result in apply(planned, facts.root):
        failed = failed or result.error is not None
        write_report(_outcome(result), None)
    write_report("log in again: running sessions and services keep what they have", None)
    return 1 if failed else 0


def _check_right(root: str) -> None:
    if root == "/" and os.geteuid() != 0:
        raise UsageError("fix changes files of the system: run it as root, or with --dry-run")


def _check_terminal(options: argparse.Namespace) -> None:
    if not options.yes and not (sys.stdin and sys.stdin.isatty()):
        raise UsageError("there is no terminal to ask on: use --yes or --dry-run")


def _confirmed() -> bool:
    try:
        return input("Do this? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        write_report("", None)
        return False
    except KeyboardInterrupt:
        write_report("\nnothing was changed", None)
        raise


def _shown(planned: FixPlan, *, dry_run: bool) -> str:
    from rdna1.report.console import printable

    if not planned.actions and not planned.by_hand:
        return "nothing to fix"
    doing = "would be done:" if dry_run else "to be done:"
    lines = [doing, *(f"  {_described(action)}" for action in planned.actions)]
    left = ["left to you:", *(_wrapped(printable(line)) for line in planned.by_hand)]
    shown = [
        *(map(printable, lines) if planned.actions else ()),
        *(left if planned.by_hand else ()),
    ]
    return "\n".join(shown)


def _wrapped(line: str) -> str:
    """Return a line of prose; the names of files in it stay whole."""
    import textwrap

    return textwrap.fill(
        line,
        text_style(None).width,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _described(action: Action) -> str:
    from rdna1.fix import RemoveSettings

    if isinstance(action, RemoveSettings):
        return action.title
    return f"{action.title}: {' '.join(action.command)}"


def _outcome(result: Result) -> str:
    from rdna1.report.console import printable

    if result.error is not None:
        return printable(f"FAILED  {result.action.title}: {result.error}")
    backup = f" (backup: {result.backup})" if result.backup else ""
    return printable(f"done    {result.action.title}{backup}")
