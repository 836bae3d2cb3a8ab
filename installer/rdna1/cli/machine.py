"""Where the facts come from: this machine, a tree of files, or a saved file."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rdna1.catalog.stacks import requested_packages
from rdna1.cli.output import UsageError
from rdna1.errors import InputError
from rdna1.target.facts.collect import collect
from rdna1.target.facts.kernel_messages import telling_lines

if TYPE_CHECKING:
    from rdna1.preflight.facts import Facts


def read_facts(
    options: argparse.Namespace, meanwhile: Callable[[], object] = lambda: None
) -> Facts:
    """Return facts of the machine that the options of `add_machine` name.

    Args:
        options: as parsed.
        meanwhile: as `rdna1.target.facts.collect.collect` takes it.

    Raises:
        InputError: a folder or file that cannot be read or holds no facts of this version, or
            ``--user`` together with ``--facts``.
    """
    if options.facts is None:
        return _load(collect_facts(options, meanwhile))
    if getattr(options, "kernel_log", None) is not None:
        raise UsageError("--kernel-log cannot be used with --facts: saved facts hold messages")
    if options.user:
        raise UsageError("--user cannot be used with --facts: saved facts say whom they are about")
    is_stdin = options.facts == "-"
    place = "standard input" if is_stdin else options.facts or "--facts ''"
    # Python has no standard input where the caller closed it.
    if is_stdin and sys.stdin is None:
        raise UsageError(f"{place}: it is closed")
    try:
        data = sys.stdin.buffer.read() if is_stdin else Path(options.facts).read_bytes()
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}") from error
    try:
        return _load(data)
    except InputError as error:
        raise UsageError(f"{place}: {error}") from error


def _load(data: dict[str, object] | bytes) -> Facts:
    # Imported after apt has been asked, which thinks meanwhile.
    from rdna1.preflight.facts import load_facts

    return load_facts(data)


def collect_facts(
    options: argparse.Namespace, meanwhile: Callable[[], object] = lambda: None
) -> dict[str, object]:
    """Return facts of the machine under ``--root`` as plain data.

    Args:
        options: as parsed.
        meanwhile: as `rdna1.target.facts.collect.collect` takes it.

    Raises:
        UsageError: the folder cannot be read.
    """
    root = root_folder(options)
    users = options.user or (_callers() if root.resolve() == Path("/") else [])
    if getattr(options, "all_users", False):
        users = []
    facts = collect(str(root), users, requested_packages(), meanwhile)
    log = getattr(options, "kernel_log", None)
    if log is not None:
        _add_messages(facts, log)
    return facts


def root_folder(options: argparse.Namespace) -> Path:
    """Return the folder that ``--root`` names, or that of this machine.

    Raises:
        UsageError: the folder cannot be read.
    """
    place = "/" if options.root is None else options.root
    try:
        # Not a Path, for which an empty name, as of an unset variable, is the present folder.
        os.scandir(place).close()
    except OSError as error:
        raise UsageError(f"--root {place or repr(place)}: {error.strerror}") from error
    return Path(place)


def _add_messages(facts: dict[str, object], log: str) -> None:
    """Put what a saved log of the kernel says about the card in place of what the machine has.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"--kernel-log {log or repr(log)}: {error.strerror}") from error
    kernel = facts["kernel"]
    if isinstance(kernel, dict):
        kernel["messages"] = telling_lines(log, text)


def add_machine(options: argparse._ActionsContainer) -> None:
    """Add ``--root`` or ``--facts``, and ``--user``."""
    place = options.add_mutually_exclusive_group()
    add_root(place)
    place.add_argument("--facts", metavar="FILE", help="check saved facts; - reads standard input")
    add_user(options)
    add_kernel_log(options)


def add_root(options: argparse._ActionsContainer) -> None:
    """Add ``--root``."""
    options.add_argument(
        "--root",
        metavar="DIR",
        help="root folder of the machine: a mounted disk or a tree of files (default: /)",
    )


def add_kernel_log(options: argparse._ActionsContainer) -> None:
    """Add ``--kernel-log``."""
    options.add_argument(
        "--kernel-log",
        metavar="FILE",
        help="what dmesg printed on the machine, as evidence (default: /var/log/dmesg, kern.log)",
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
    """Give the person who runs the command, also through sudo; nobody for an id without a name."""
    if os.environ.get("SUDO_USER"):
        return [os.environ["SUDO_USER"]]
    try:
        return [pwd.getpwuid(os.getuid()).pw_name]
    except KeyError:
        return []
