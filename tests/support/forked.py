"""A part of a test in a process of its own, which ends whatever happens in it."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

Action = Callable[[], Any]
_SECONDS = 60


def in_child(action: Action, seconds: int = _SECONDS) -> Any:
    """Call a function in a fork of this process; what it needs to import is imported before.

    Args:
        action: returns what JSON can hold.
        seconds: after these the child is killed by its own alarm.

    Returns:
        What the function returned.

    Raises:
        AssertionError: the function raised, or did not end in time.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _report_and_exit(action, writing, seconds)
    os.close(writing)
    with os.fdopen(reading) as stream:
        told = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code != -signal.SIGALRM, f"it did not end within {seconds} s"
    assert code == 0, told or f"the child ended with {code}"
    return json.loads(told)


def _report_and_exit(action: Action, writing: int, seconds: int) -> None:
    """Never return: a child that went on would be a second pytest with the same tests."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        told = json.dumps(action())
        code = 0
    except BaseException:  # noqa: BLE001 - told to the parent, whatever it is
        told = traceback.format_exc()
    try:
        with os.fdopen(writing, "w") as stream:
            stream.write(told)
    finally:
        os._exit(code)


def become(uid: int, gid: int, groups: tuple[int, ...] = ()) -> None:
    """Make this process, root's so far, one of another user for good."""
    os.seteuid(0)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
