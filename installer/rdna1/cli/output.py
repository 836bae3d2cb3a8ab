"""What all commands share: one-line errors with exit code 2, and writing their report."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from rdna1.cli.entry import INTERRUPTED
from rdna1.errors import InputError
from rdna1.target.printable import printable
from rdna1.target.whole_file import write_whole

WRONG_USAGE = 2
_NARROWEST, _WIDEST = 60, 100
# Of a file: facts and reports tell of users, files and addresses of a machine.
_PRIVATE = 0o600
_MOST_LINKS = 40


class UsageError(InputError):
    """Wrong usage, or a file that cannot be read or written."""


class ArgumentParser(argparse.ArgumentParser):
    """Raises `UsageError` where argparse prints several lines and exits.

    A mistyped option, choice or command is met with the one that was probably meant.
    """

    def error(self, message: str) -> NoReturn:
        """Raise ``message``, which argparse phrases for the user.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{message}; see {self.prog} --help")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and refuse what is left here: only the command's own parser knows its options.

        Raises:
            UsageError: an argument is unknown.
        """
        options, left = super().parse_known_args(args, namespace)
        if left:
            flags = (argument.partition("=")[0] for argument in left if argument[:1] == "-")
            hints = (_did_you_mean(flag, self._option_string_actions) for flag in flags)
            hint = next(filter(None, hints), "")
            self.error(f"unrecognized arguments: {' '.join(left)}{hint}")
        return options, left

    def _check_value(self, action: argparse.Action, value: object) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += _did_you_mean(str(value), map(str, action.choices or ()))
            raise


def _did_you_mean(typed: str, known: Iterable[str]) -> str:
    # Of no use to a command that was typed right, whose time counts.
    from difflib import get_close_matches

    near = get_close_matches(typed, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def run_command(program: str, command: Callable[[], int]) -> int:
    """Run a command and turn wrong usage and unusable input into one line on stderr.

    Args:
        program: name before the message.
        command: does the work and returns the exit code.

    Returns:
        What ``command`` returned, or 2 after an `InputError`.
    """
    try:
        return command()
    except InputError as error:
        # Names in it are others' choice.
        print(f"{program}: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        return WRONG_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED


class TextStyle(NamedTuple):
    """How a text report is written: columns of its lines, and whether in colours."""

    width: int
    colour: bool


def text_style(output: Path | None) -> TextStyle:
    """Return the style that suits the terminal, or the file, that a report goes to."""
    columns = shutil.get_terminal_size().columns
    return TextStyle(
        width=max(_NARROWEST, min(columns, _WIDEST)),
        colour=output is None and _is_terminal() and not os.environ.get("NO_COLOR"),
    )


def _is_terminal() -> bool:
    # Python has no standard output where the caller closed it.
    return sys.stdout is not None and sys.stdout.isatty()


class _Version(argparse.Action):
    """Prints the version of the package, which is looked up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        write_report(f"{parser.prog} {version('rdna1')}", None)
        parser.exit()


def add_version(parser: ArgumentParser) -> None:
    """Add ``--version``."""
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")


def add_report_options(options: argparse._ActionsContainer, *formats: str) -> None:
    """Add ``--format`` and ``--output``.

    Args:
        options: a parser or a group of its options.
        formats: the forms a report has, the default first.
    """
    options.add_argument(
        "--format", choices=formats, default=formats[0], help="default: %(default)s"
    )
    options.add_argument(
        "--output", type=Path, metavar="FILE", help="write the report there instead of printing it"
    )


def write_report(text: str | bytes, output: Path | None) -> None:
    """Write a finished report.

    A file appears complete or not at all, and its owner alone can read it, whatever the umask. A
    reader of standard output that went away, as
    ``head`` does, is not an error.

    Args:
        text: what to write; a last newline is added when it has none. Bytes are written as they
            are, and need a file.
        output: the file, or None for standard output.

    Raises:
        UsageError: the text could not be written.
    """
    if isinstance(text, str) and not text.endswith("\n"):
        text += "\n"
    try:
        if isinstance(text, bytes):
            if output is None:
                raise UsageError("a picture needs --output FILE")
            _write_file(text, output)
        elif output is None:
            _write_stdout(text)
        else:
            _write_file(text.encode(), output)
    except OSError as error:
        raise UsageError(f"{output or 'standard output'}: {error.strerror}") from error


def _write_stdout(text: str) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed")
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_file(content: bytes, output: Path) -> None:
    target = _place(output)
    mode = _PRIVATE
    with contextlib.suppress(FileNotFoundError):
        status = target.stat()
        # A device such as /dev/null must stay what it is.
        if not stat.S_ISREG(status.st_mode):
            _write_device(target, content)
            return
        # What its owner lets a group read stays so; what all can read was nobody's decision.
        if status.st_uid == os.geteuid() and not status.st_mode & stat.S_IRWXO:
            mode = stat.S_IMODE(status.st_mode) & 0o660 | _PRIVATE
    write_whole(target, content, mode)


def _write_device(target: Path, content: bytes) -> None:
    """Write to what is not a file; a pipe that nobody reads is not waited for."""
    descriptor = os.open(target, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "wb") as device:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EAGAIN, "something else took its place meanwhile")
        os.set_blocking(descriptor, True)
        device.write(content)


def _place(output: Path) -> Path:
    """Return where a file is written: what this user's or root's links name, nobody else's.

    Raises:
        OSError: the link is another user's, or leads to itself.
    """
    for _ in range(_MOST_LINKS):
        try:
            status = output.lstat()
        except FileNotFoundError:
            return output
        if not stat.S_ISLNK(status.st_mode):
            return output
        if status.st_uid not in (0, os.geteuid()):
            raise OSError(errno.EPERM, "it is a link of another user, name the file itself")
        if output.is_relative_to("/proc"):
            # A descriptor: of a file that has a name, or of what has none.
            named = output.resolve()
            return named if named.exists() else output
        output = output.parent / output.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
