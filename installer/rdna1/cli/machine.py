"""Where the facts come from: this machine, a tree of files, or a saved file."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path

from rdna1.cli.output import UsageError
from rdna1.host import collect
from rdna1.preflight import Facts, FactsError, load_facts
from rdna1.stacks import requested_packages


def read_facts(
    options: argparse.Namespace, meanwhile: Callable[[], object] = lambda: None
) -> Facts:
    """Facts of the machine that the options of `add_machine` name.

    Args:
        options: as parsed.
        meanwhile: as `rdna1.host.collect` takes it.

    Raises:
        UsageError: a folder or file that cannot be read, or ``--user`` beside ``--facts``.
        FactsError: a file that holds no facts of this version.
    """
    if options.facts is None:
        return load_facts(collect_facts(options, meanwhile))
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


def collect_facts(
    options: argparse.Namespace, meanwhile: Callable[[], object] = lambda: None
) -> dict[str, object]:
    """Facts of the machine under ``--root`` as plain data.

    Args:
        options: as parsed.
        meanwhile: as `rdna1.host.collect` takes it.

    Raises:
        UsageError: the folder cannot be read.
    """
    root = Path(options.root or "/")
    try:
        os.scandir(root).close()
    except OSError as error:
        raise UsageError(f"--root {root}: {error.strerror}") from error
    users = options.user or (_callers() if root.resolve() == Path("/") else [])
    return collect(str(root), users, requested_packages(), meanwhile)


def add_machine(options: argparse._ActionsContainer) -> None:
    """Add ``--root`` or ``--facts``, and ``--user``."""
    place = options.add_mutually_exclusive_group()
    add_root(place)
    place.add_argument("--facts", metavar="FILE", help="judge saved facts; - reads standard input")
    add_user(options)


def add_root(options: argparse._ActionsContainer) -> None:
    """Add ``--root``."""
    options.add_argument(
        "--root",
        metavar="DIR",
        help="root folder of the machine: a mounted disk or a tree of files (default: /)",
    )


def add_user(options: argparse._ActionsContainer) -> None:
    """Add ``--user``."""
    options.add_argument(
        "--user",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="users whose groups and start files matter (default: the caller, unless --root)",
    )


def _callers() -> list[str]:
    """The person who runs the command, also through sudo; nobody for an id without a name."""
    if os.environ.get("SUDO_USER"):
        return [os.environ["SUDO_USER"]]
    try:
        return [pwd.getpwuid(os.getuid()).pw_name]
    except KeyError:
        return []
