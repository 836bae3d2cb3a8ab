"""``rdna1-preflight``: is this machine fit for a stack?"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rdna1.catalog.stacks import DEFAULT_STACK, load_stack, stack_names
from rdna1.cli import advise, explain, fix, matrix
from rdna1.cli.machine import add_machine, add_root, add_user, collect_facts, read_facts
from rdna1.cli.output import (
    ArgumentParser,
    UsageError,
    add_report_options,
    add_version,
    run_command,
    text_style,
    write_report,
)
from rdna1.report.json import to_json

if TYPE_CHECKING:
    from rdna1.preflight import Report

_PROGRAM = "rdna1-preflight"
_EXAMPLES = """\
examples:
  rdna1-preflight                                  check this machine
  rdna1-preflight --stack rocm-5.2 --ignore groups
  rdna1-preflight --root /mnt --format json        check a mounted disk
  rdna1-preflight facts > machine.json             collect on one machine,
  rdna1-preflight --facts machine.json             check on another
  rdna1-preflight explain find-enforce
  rdna1-preflight advise                           which stack, and what else?
  rdna1-preflight matrix                           which stack goes where?
  rdna1-preflight fix --dry-run                    what could be repaired?

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
    return _COMMANDS[options.command](options)


def _check(options: argparse.Namespace) -> int:
    stack = load_stack(options.stack)
    facts = read_facts(options, meanwhile=partial(_import_tools, options))
    assess, write = _import_tools(options)
    fingerprint = options.amd_key_fingerprint or ""
    report = assess(facts, stack, ignore=options.ignore, mirror_fingerprint=fingerprint)
    write_report(write(report), options.output)
    refused = report.verdict == "refuse" or (options.strict and report.verdict == "warn")
    return 1 if refused else 0


def _import_tools(
    options: argparse.Namespace,
) -> tuple[Callable[..., Report], Callable[[Report], str]]:
    """Return what assesses facts, and what writes the report: imported while apt is thinking."""
    from rdna1.preflight import assess

    return assess, _renderer(options)


def _renderer(options: argparse.Namespace) -> Callable[[Report], str]:
    """Return what writes a report in the form asked for.

    rich costs more than assessing, so the other forms do not pay for it.
    """
    if options.format == "json":
        return to_json
    if options.format == "junit":
        from rdna1.report.junit import preflight_junit

        return preflight_junit
    from rdna1.report.preflight import preflight_text

    style = text_style(options.output)
    return partial(preflight_text, width=style.width, colour=style.colour, verbose=options.verbose)


def _facts(options: argparse.Namespace) -> int:
    write_report(to_json(collect_facts(options)), options.output)
    return 0


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "check": _check,
    "facts": _facts,
    "matrix": matrix.run,
    "advise": advise.run,
    "fix": fix.run,
    "explain": explain.run_explain,
    "list": explain.run_list,
}


def _with_command(arguments: list[str]) -> list[str]:
    """Put ``check`` in front where no command is given."""
    first = arguments[0] if arguments else ""
    if first in (*_COMMANDS, "-h", "--help", "--version"):
        return arguments
    if first.startswith("-") or not arguments:
        return ["check", *arguments]
    near = difflib.get_close_matches(first, _COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_COMMANDS)}"
    raise UsageError(f"unknown command {first!r}: {hint}; see {_PROGRAM} --help")


def _parser() -> ArgumentParser:
    assessing = _check_options()
    parser = ArgumentParser(
        prog=_PROGRAM,
        usage="%(prog)s [check|facts|matrix|advise|fix|explain ID|list] [options]",
        description="Check whether a machine is fit for a ROCm and PyTorch stack on an RDNA1 card.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # Shown in the help only: without a command the arguments are those of check.
        parents=[assessing],
        allow_abbrev=False,
    )
    add_version(parser)
    commands = parser.add_subparsers(
        prog=_PROGRAM, dest="command", metavar="COMMAND", title="commands"
    )
    commands.add_parser(
        "check", help="check a machine (the default)", parents=[assessing], allow_abbrev=False
    )
    facts = commands.add_parser(
        "facts", help="print what is known of a machine as JSON", allow_abbrev=False
    )
    add_root(facts)
    add_user(facts)
    add_report_options(facts, "json")
    matrix.add_command(commands)
    advise.add_command(commands)
    fix.add_command(commands)
    explain.add_commands(commands)
    return parser


def _check_options() -> ArgumentParser:
    parser = ArgumentParser(prog=_PROGRAM, add_help=False)
    group = parser.add_argument_group("options of check")
    group.add_argument(
        "--stack",
        default=DEFAULT_STACK,
        metavar="NAME",
        help=f"stack to check for: {', '.join(stack_names())} (default: %(default)s)",
    )
    add_machine(group)
    group.add_argument(
        "--ignore",
        type=_ids,
        action="extend",
        default=[],
        metavar="ID,...",
        help="checks whose warnings and failures shall not count; they are shown all the same",
    )
    group.add_argument(
        "--amd-key-fingerprint",
        type=_fingerprint,
        metavar="FINGERPRINT",
        help="of the key of the mirror of AMD's repository that this machine uses, as "
        "rocm_amd_key_fingerprint (default: AMD's own)",
    )
    group.add_argument("--strict", action="store_true", help="refuse on warnings too")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="text: also show each check that passed"
    )
    add_report_options(group, "text", "json", "junit")
    return parser


def _ids(text: str) -> list[str]:
    return [check_id.strip() for check_id in text.split(",") if check_id.strip()]


def _fingerprint(text: str) -> str:
    if not re.fullmatch("[0-9A-Fa-f]{40}", text.replace(" ", "")):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a full fingerprint: 40 hexadecimal digits, as gpg shows them"
        )
    return text


if __name__ == "__main__":
    sys.exit(main())
