"""``rdna1-preflight``: is this machine fit for a stack?"""

from __future__ import annotations

import argparse
import difflib
import os
import pwd
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rdna1.cli.output import ArgumentParser, UsageError, run_command, write_report
from rdna1.host import collect
from rdna1.preflight import (
    CHECKS,
    CheckIdError,
    Facts,
    FactsError,
    Report,
    find_check,
    judge,
    load_facts,
)
from rdna1.report.json import to_json
from rdna1.stacks import DEFAULT_STACK, UnknownStackError, load_stack, stack_names
from rdna1.yaml_data import DataFileError

_PROGRAM = "rdna1-preflight"
_COMMANDS = ("check", "facts", "explain", "list")
_NARROWEST, _WIDEST = 60, 100
_EXAMPLES = """\
examples:
  rdna1-preflight                                  judge this machine
  rdna1-preflight --stack rocm-5.2 --ignore groups
  rdna1-preflight --root /mnt --format json        judge a mounted disk
  rdna1-preflight facts > box.json                 collect on one machine,
  rdna1-preflight --facts box.json                 judge on another
  rdna1-preflight explain find-enforce

exit codes: 0 proceed, 1 refused, 2 wrong usage or unreadable input
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 proceed, 1 refused (with ``--strict`` also warned), 2 wrong usage or input.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(_PROGRAM, lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    options = _parser().parse_args(_with_command(arguments))
    try:
        if options.command == "facts":
            write_report(to_json(_collect(options)), None)
        elif options.command == "explain":
            write_report(_explanation(options.id), None)
        elif options.command == "list":
            write_report(_listing(), None)
        else:
            return _check(options)
    except (UnknownStackError, CheckIdError, FactsError, DataFileError) as error:
        raise UsageError(str(error)) from error
    return 0


def _check(options: argparse.Namespace) -> int:
    stack = load_stack(options.stack)
    report = judge(_facts(options), stack, ignore=options.ignore)
    write_report(_rendered(report, options.format, options.output), options.output)
    refused = report.verdict == "refuse" or (options.strict and report.verdict == "warn")
    return 1 if refused else 0


def _facts(options: argparse.Namespace) -> Facts:
    if options.facts is None:
        return load_facts(_collect(options))
    if options.user:
        raise UsageError("--user cannot be used with --facts: saved facts say whom they are about")
    is_stdin = options.facts == "-"
    place = "standard input" if is_stdin else options.facts
    try:
        data = sys.stdin.buffer.read() if is_stdin else Path(options.facts).read_bytes()
        return load_facts(data)
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}") from error
    except FactsError as error:
        raise FactsError(f"{place}: {error}") from error


def _collect(options: argparse.Namespace) -> dict[str, object]:
    root = Path(options.root or "/")
    try:
        os.scandir(root).close()
    except OSError as error:
        raise UsageError(f"--root {root}: {error.strerror}") from error
    users = options.user or (_callers() if root.resolve() == Path("/") else [])
    return collect(str(root), users)


def _callers() -> list[str]:
    """The person who runs the command, also through sudo; nobody for an id without a name."""
    if os.environ.get("SUDO_USER"):
        return [os.environ["SUDO_USER"]]
    try:
        return [pwd.getpwuid(os.getuid()).pw_name]
    except KeyError:
        return []


def _rendered(report: Report, form: str, output: Path | None) -> str:
    # Each form is imported where it is used: rich alone costs more than judging.
    if form == "json":
        return to_json(report)
    if form == "junit":
        from rdna1.report.junit import preflight_junit

        return preflight_junit(report)
    from rdna1.report.text import preflight_text

    columns = shutil.get_terminal_size().columns
    return preflight_text(
        report,
        width=max(_NARROWEST, min(columns, _WIDEST)),
        colour=output is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
    )


def _explanation(check_id: str) -> str:
    check = find_check(check_id)
    title = f"{check.id}: {check.title}" + (" (strict: cannot be ignored)" if check.strict else "")
    needs = [f"Judged only when these are right: {', '.join(check.needs)}"] if check.needs else []
    references = ["Behind it:", *(f"  {reference}" for reference in check.references)]
    return "\n".join([title, "", check.explanation, "", *needs, *references])


def _listing() -> str:
    width = max(len(check.id) for check in CHECKS)
    return "\n".join(
        f"{check.id:{width}}  {'strict' if check.strict else '      '}  {check.title}"
        for check in CHECKS
    )


def _with_command(arguments: list[str]) -> list[str]:
    """Put ``check`` in front where no command is given."""
    first = arguments[0] if arguments else ""
    if first in (*_COMMANDS, "-h", "--help"):
        return arguments
    if first.startswith("-") or not arguments:
        return ["check", *arguments]
    near = difflib.get_close_matches(first, _COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_COMMANDS)}"
    raise UsageError(f"unknown command {first!r}: {hint}")


def _parser() -> ArgumentParser:
    judging = _judging_options()
    parser = ArgumentParser(
        prog=_PROGRAM,
        usage="%(prog)s [check|facts|explain ID|list] [options]",
        description="Judge whether a machine is fit for a ROCm and PyTorch stack on an RDNA1 card.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # Shown in the help only: without a command the arguments are those of check.
        parents=[judging],
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        prog=_PROGRAM, dest="command", metavar="COMMAND", title="commands"
    )
    commands.add_parser(
        "check", help="judge a machine (the default)", parents=[judging], allow_abbrev=False
    )
    facts = commands.add_parser(
        "facts", help="print what is known of a machine as JSON", allow_abbrev=False
    )
    _add_root(facts)
    _add_user(facts)
    explain = commands.add_parser("explain", help="say why a check exists", allow_abbrev=False)
    explain.add_argument("id", metavar="ID", help="of a check")
    commands.add_parser("list", help="list the checks", allow_abbrev=False)
    return parser


def _judging_options() -> ArgumentParser:
    parser = ArgumentParser(prog=_PROGRAM, add_help=False)
    group = parser.add_argument_group("options of check")
    group.add_argument(
        "--stack",
        default=DEFAULT_STACK,
        metavar="NAME",
        help=f"stack to judge for: {', '.join(stack_names())} (default: %(default)s)",
    )
    place = group.add_mutually_exclusive_group()
    _add_root(place)
    place.add_argument("--facts", metavar="FILE", help="judge saved facts; - reads standard input")
    _add_user(group)
    group.add_argument(
        "--ignore",
        type=_ids,
        action="extend",
        default=[],
        metavar="ID,...",
        help="checks whose warnings and failures shall not count; they are shown all the same",
    )
    group.add_argument("--strict", action="store_true", help="refuse on warnings too")
    group.add_argument(
        "--format", choices=("text", "json", "junit"), default="text", help="default: %(default)s"
    )
    group.add_argument(
        "--output", type=Path, metavar="FILE", help="write the report there instead of printing it"
    )
    return parser


def _add_root(options: argparse._ActionsContainer) -> None:
    options.add_argument(
        "--root",
        metavar="DIR",
        help="root folder of the machine: a mounted disk or a tree of files (default: /)",
    )


def _add_user(options: argparse._ActionsContainer) -> None:
    options.add_argument(
        "--user",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="users whose groups and start files matter (default: the caller, unless --root)",
    )


def _ids(text: str) -> list[str]:
    return [check_id.strip() for check_id in text.split(",") if check_id.strip()]


if __name__ == "__main__":
    sys.exit(main())
