"""Run a program that is not trusted: as nobody in particular, without a way to more rights.

As root it gets a user id that no account and no process has, from the range of which systemd takes
those of its dynamic users. A user's own build stays that user's. Where the kernel permits it, it
has no network, and all that it started ends with it.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

# systemd's UIDS.md: the range of DynamicUser=.
_FIRST, _LAST = 61184, 65519
_TAKEN_BY_SYSTEMD = Path("/run/systemd/dynamic-uid")
# Not where the environment says: it names programs of the build before the system's.
_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
_TRIES, _SECONDS_BETWEEN = 100, 0.1


class UnprivilegedError(Exception):
    """The program could not be run so, or failed; the message holds the cause."""


def unused_id() -> int:
    """Return a user and group id that nobody has.

    Raises:
        UnprivilegedError: all are taken.
    """
    running = _running_ids()
    for number in random.sample(range(_FIRST, _LAST + 1), _LAST + 1 - _FIRST):
        if number in running or (_TAKEN_BY_SYSTEMD / str(number)).exists():
            continue
        if not _is_known(pwd.getpwuid, number) and not _is_known(grp.getgrgid, number):
            return number
    raise UnprivilegedError(f"no user id from {_FIRST} to {_LAST} is free")


def run_unprivileged(
    command: Sequence[str],
    number: int | None,
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    seconds: float,
) -> int:
    """Run a program to its end, and end what it leaves behind.

    Args:
        command: with the whole path of the program.
        number: from `unused_id`; None to stay who one is.
        folder: where it works.
        environment: all of its variables.
        log: a new file for what it prints.
        seconds: after which it is killed.

    Returns:
        Its exit status; a negative one is a signal.

    Raises:
        UnprivilegedError: it ran for too long, or something of it cannot be ended.
        OSError: it could not be started.
    """
    limited = [*_isolation(number), *_without_rights(number), *command]
    with log.open("xb") as output:
        process = subprocess.Popen(  # noqa: S603 (an argument list, no shell)
            limited,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise UnprivilegedError(f"it was not done after {seconds:.0f} s") from error
        finally:
            _kill_group(process)
            if number is not None:
                _end_all_of(number)


def _without_rights(number: int | None) -> list[str]:
    """Return a command that gives up what rights there are, and the way to any others."""
    identity = ["--reuid", str(number), "--regid", str(number), "--clear-groups"]
    rights = ["--inh-caps=-all", "--no-new-privs"]
    return [_program("setpriv"), *(identity if number is not None else []), *rights, "--"]


def how_it_ended(status: int) -> str:
    """Say how a process ended, as its ``returncode`` tells: a negative one is a signal."""
    if status >= 0:
        return f"ended with {status}"
    names = {number.value: number.name for number in signal.Signals}
    return f"was killed by {names.get(-status, f'signal {-status}')}"


def _isolation(number: int | None) -> list[str]:
    """Return a command that takes the network away, and ends all with the program.

    Where permitted.
    """
    # A user may do it in a user namespace of the user's own, if at all.
    namespace = [] if number is not None else ["--user", "--map-root-user"]
    alone = ["--net", "--pid", "--fork", "--kill-child"]
    command = [_program("unshare"), *namespace, *alone, "--"]
    tried = subprocess.run(  # noqa: S603 (an argument list, no shell)
        [*command, _program("true")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return command if tried.returncode == 0 else []


def _program(name: str) -> str:
    path = shutil.which(name, path=_SYSTEM)
    if path is None:
        raise UnprivilegedError(f"there is no program {name}. Remedy: install util-linux")
    return path


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the program's session, which may be all that a user can tell."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end_all_of(number: int) -> None:
    """Kill every process of an id: the kernel does it at once, so that none can fork away.

    Raises:
        UnprivilegedError: one is left.
    """
    for _ in range(_TRIES):
        subprocess.run(  # noqa: S603 (an argument list, no shell)
            [*_without_rights(number), _program("sh"), "-c", "kill -KILL -1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if number not in _running_ids():
            return
        time.sleep(_SECONDS_BETWEEN)
    raise UnprivilegedError(f"a process of the user id {number} cannot be ended")


def _running_ids() -> set[int]:
    """Return user ids of all processes that are not over."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:  # it has ended
            continue
        fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        if not fields.get("State", "").startswith(("Z", "X")):
            found.update(map(int, fields.get("Uid", "").split()))
    return found


def _is_known(look_up: Callable[[int], object], number: int) -> bool:
    try:
        look_up(number)
    except KeyError:
        return False
    return True
