"""What the subcommands of ``rdna1-validate`` share: options, their types, early refusals."""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdna1.cli.output import ArgumentParser, UsageError, add_report_options
from rdna1.report.measurement import PageForm, missing_package
from rdna1.worker.supervisor import WAIT_SECONDS

if TYPE_CHECKING:
    # argparse has no public name for it.
    Commands = argparse._SubParsersAction[ArgumentParser]

# The time limit under which the first investigation of a card called a convolution hung.
_DEFAULT_TIMEOUT = 15.0

PAGE_FORMS: Final[tuple[PageForm, ...]] = ("html", "png")
TEXT_FORMS = ("text", "json", "junit")
FORMS = (*TEXT_FORMS, *PAGE_FORMS)

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?|sim:.+")


def add_command(
    commands: Commands,
    name: str,
    summary: str,
    text: str,
    examples: str,
    *,
    pages: Sequence[PageForm] = PAGE_FORMS,
) -> ArgumentParser:
    """Add the parser of a subcommand with the options for device, time limit and report.

    Args:
        commands: what `argparse.ArgumentParser.add_subparsers` returned.
        name: of the subcommand.
        summary: for the list of subcommands.
        text: what it does; its lines are kept.
        examples: follow the options; their lines are kept.
        pages: forms of its report that are pages or pictures.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=text,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--device",
        type=_device_name,
        default="auto",
        help="auto, cpu, cuda, cuda:N or sim:FILE (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=_DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="after which a convolution counts as hanging (default: %(default)g)",
    )
    parser.add_argument(
        "--wait",
        type=_waiting_seconds,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help="to wait for another run that has the device (default: %(default)g)",
    )
    add_report_options(parser, *TEXT_FORMS, *pages)
    return parser


def add_max_hangs(parser: ArgumentParser, default: int) -> None:
    """Add ``--max-hangs``."""
    parser.add_argument(
        "--max-hangs",
        type=count_of("hangs"),
        default=default,
        metavar="N",
        help="stop when so many workers have hung or died (default: %(default)s)",
    )


def add_max_side(parser: ArgumentParser, default: int | None, meaning: str) -> None:
    """Add ``--max-side``; ``meaning`` says what the subcommand does with it."""
    parser.add_argument(
        "--max-side", type=count_of("pixels"), default=default, metavar="N", help=meaning
    )


def count_of(unit: str) -> Callable[[str], int]:
    """Return an option's type: a whole number above 0; ``unit`` names what is counted."""

    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit} above 0")
        return int(text)

    return count


def check_writable(option: str, output: Path | None) -> None:
    """Find out before measuring whether a file can be written.

    Args:
        option: that names the file.
        output: the file; None asks nothing.

    Raises:
        UsageError: it cannot.
    """
    if output is None:
        return
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
        raise UsageError(f"{option} {output}: {error.strerror}") from error


def check_report(options: argparse.Namespace) -> None:
    """Find out before measuring whether the report can be made and written.

    Args:
        options: with ``format`` and ``output``.

    Raises:
        UsageError: a package is missing, a picture would go to a terminal, or the file cannot
            be written.
    """
    check_writable("--output", options.output)
    if options.format not in PAGE_FORMS:
        return
    package = missing_package(options.format)
    if package:
        raise UsageError(
            f"--format {options.format}: {package} is not installed. Remedy: install the extra "
            f"rdna1[report] here, or write --format json"
        )
    if options.format == "png" and options.output is None:
        raise UsageError("--format png: a picture needs --output FILE")


def _device_name(text: str) -> str:
    """Give a device; the file of ``sim:FILE`` as an absolute path, as the worker runs elsewhere."""
    if not _DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a device: use auto, cpu, cuda, cuda:N or sim:FILE"
        )
    kind, _, file = text.partition(":")
    return f"sim:{Path(file).absolute()}" if kind == "sim" else text


def _waiting_seconds(text: str) -> float:
    return 0.0 if text == "0" else _seconds(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
