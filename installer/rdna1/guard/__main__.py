"""``python -m rdna1.guard SCRIPT``: a program with its convolutions kept inside an envelope."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .envelope import EnvelopeError

_PROGRAM = "python -m rdna1.guard"
_EXAMPLES = """\
examples:
  python -m rdna1.guard train.py --epochs 3
  python -m rdna1.guard --envelope envelope.json --strict train.py
  python -m rdna1.guard --watch --timeout 60 --kill train.py
  python -m rdna1.guard --watch --record-only train.py   which layer hangs without the guard?

exit codes: those of the program; 1 it was killed as it hung or an envelope does not hold,
            2 wrong usage, 128 and more: a signal killed it
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a program; returns its exit code."""
    options = _parser().parse_args(argv)
    script = Path(options.script)
    if not script.is_file():
        return _refuse(f"{script}: no such file. Remedy: name a Python script")
    try:
        if options.watch:
            from .watch import watch

            return watch(options)
        from .program import run

        return run(options)
    except EnvelopeError as error:
        return _refuse(str(error))


def _refuse(reason: str) -> int:
    print(f"{_PROGRAM}: {reason}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.exit(_refuse(f"{message}; see {self.prog} --help"))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description="Run a Python program with its convolutions kept inside an envelope.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("script", metavar="SCRIPT", help="Python program")
    parser.add_argument(
        "arguments", metavar="ARG", nargs=argparse.REMAINDER, help="arguments of the program"
    )
    parser.add_argument(
        "--envelope", metavar="FILE", help="default: that of the user, else of the machine"
    )
    parser.add_argument(
        "--strict", action="store_true", help="raise an error where only the CPU is left"
    )
    parser.add_argument(
        "--memory",
        metavar="MIB",
        type=_positive,
        help="what the tiles of a call may take in addition (default: by device)",
    )
    parser.add_argument(
        "--summary", action="store_true", help="say at the end what was computed, in one line"
    )
    parser.add_argument(
        "--record-only", action="store_true", help="compute everything as the program asks"
    )
    watch = parser.add_argument_group("flight recorder")
    watch.add_argument(
        "--watch",
        action="store_true",
        help="say which convolution a program hangs in or died of",
    )
    watch.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_positive,
        default=60,
        help="without a convolution that begins or ends (default: %(default)s)",
    )
    watch.add_argument("--kill", action="store_true", help="kill the program that hangs")
    watch.add_argument(
        "--synchronize",
        action="store_true",
        help="wait for the GPU after each convolution: exact, and slower",
    )
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
