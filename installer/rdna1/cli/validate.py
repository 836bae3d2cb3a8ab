"""``rdna1-validate``: what can this machine's card compute?"""

from __future__ import annotations

import argparse
import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rdna1.cli.entry import INTERRUPTED
from rdna1.cli.output import (
    ArgumentParser,
    UsageError,
    add_report_options,
    add_version,
    run_command,
    text_style,
    write_report,
)
from rdna1.conv.case import ConvCase
from rdna1.conv.result import UnusableDeviceError
from rdna1.conv.smoke import SmokeReport, run_smoke, smoke_cases

_PROGRAM = "rdna1-validate"

# The time limit under which the first investigation of a card called a convolution hung.
_DEFAULT_TIMEOUT = 15.0

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?|sim:.+")

_EXAMPLES = """\
examples:
  rdna1-validate smoke                          on the GPU, without one on the CPU
  rdna1-validate smoke --device cuda:1 --timeout 30
  rdna1-validate smoke --format json --output smoke.json
  rdna1-validate smoke --device sim:rules.yml   see what a broken card looks like

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
    cases = smoke_cases(options.max_side)
    if not cases:
        raise UsageError(f"--max-side {options.max_side} leaves no case to run")
    if options.output:
        _check_writable(options.output)
    try:
        with _progress(len(cases)) as on_case:
            report = run_smoke(options.device, options.timeout, cases, on_case)
    except UnusableDeviceError as error:
        raise UsageError(str(error)) from error
    write_report(_rendered(report, options.format, options.output), options.output)
    if options.output:
        from rdna1.report.smoke import smoke_verdict

        write_report(f"{smoke_verdict(report)}; report in {options.output}", None)
    if report.interrupted:
        return INTERRUPTED
    return 0 if report.verdict == "pass" else 1


def _check_writable(output: Path) -> None:
    """Find out before measuring whether the report can be written.

    Raises:
        UsageError: it cannot.
    """
    target = output.resolve()
    try:
        if target.is_dir():
            raise IsADirectoryError(0, "is a folder")
        if target.exists() and not target.is_file():
            with target.open("a"):
                return
        with tempfile.TemporaryFile(dir=target.parent):
            return
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}") from error


@contextmanager
def _progress(total: int) -> Iterator[Callable[[ConvCase], None]]:
    """Show the running case on standard error when that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (MofNCompleteColumn(), BarColumn(20), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=total, completed=-1)

        def on_case(case: ConvCase) -> None:
            progress.update(task, advance=1, description=case.label)

        yield on_case


def _rendered(report: SmokeReport, form: str, output: Path | None) -> str:
    # Each form is imported where it is used.
    if form == "json":
        from rdna1.report.json import to_json

        return to_json(report)
    if form == "junit":
        from rdna1.report.smoke import smoke_junit

        return smoke_junit(report)
    from rdna1.report.smoke import smoke_text

    style = text_style(output)
    return smoke_text(report, width=style.width, colour=style.colour)


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
    smoke = commands.add_parser(
        "smoke",
        help="run ordinary small convolutions, forward and backward",
        description="Run ordinary small convolutions, forward and backward, and compare each\n"
        "result with a float64 reference computed on the CPU.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    smoke.add_argument(
        "--device",
        type=_device_name,
        default="auto",
        help="auto, cpu, cuda, cuda:N or sim:FILE (default: %(default)s)",
    )
    smoke.add_argument(
        "--timeout",
        type=_seconds,
        default=_DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="after which a convolution counts as hanging (default: %(default)g)",
    )
    smoke.add_argument(
        "--max-side",
        type=_side,
        metavar="N",
        help="leave out layers whose input or output has a longer side, in pixels",
    )
    add_report_options(smoke, "text", "json", "junit")
    return parser


def _device_name(text: str) -> str:
    """A device; the file of ``sim:FILE`` as an absolute path, as the worker runs elsewhere."""
    if not _DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no device: use auto, cpu, cuda, cuda:N or sim:FILE"
        )
    kind, _, file = text.partition(":")
    return f"sim:{Path(file).absolute()}" if kind == "sim" else text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _side(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of pixels above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
