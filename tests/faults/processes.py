"""Find processes of a machine or of a controller, and kill exactly them.

A process is killed through a handle that was opened before it was looked at, so a number that the
kernel gave to another program meanwhile is never hit.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path


def inside(init: int, command: str = "") -> list[int]:
    """Processes of the container whose first process is ``init``, by their numbers outside.

    Args:
        init: of the container.
        command: name of the program; all but ``init`` itself where it is empty.
    """
    namespace = _namespace(init)
    return [
        pid
        for pid in _pids()
        # Most have another name, and this is asked many times a second.
        if (not command or _name(pid) == command)
        and pid != init
        and namespace
        and _namespace(pid) == namespace
    ]


def descendants(pid: int) -> list[int]:
    """A process and all that it started on this machine, not those inside a container."""
    children: dict[int, list[int]] = {}
    for other in _pids():
        children.setdefault(_parent(other), []).append(other)
    found, waiting, own = [], [pid], _namespace(os.getpid())
    while waiting:
        current = waiting.pop()
        if _namespace(current) == own:
            found.append(current)
            waiting.extend(children.get(current, []))
    return found


def kill(pids: list[int], is_right: Callable[[int], bool] = lambda _: True) -> int:
    """Kill processes without a warning; gives how many were hit.

    Args:
        pids: their numbers.
        is_right: asked again about each number while its handle is held.
    """
    hit = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                if is_right(pid):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    hit += 1
            finally:
                os.close(handle)
    return hit


def marked(mark: str) -> list[int]:
    """Processes outside containers that have a word in their environment, but for this one."""
    own = _namespace(os.getpid())
    word = mark.encode()
    return [
        pid
        for pid in _pids()
        if pid != os.getpid() and _namespace(pid) == own and word in _environment(pid)
    ]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115 (a name, not a path)
    except OSError:
        return ""


def _name(pid: int) -> str:
    try:
        descriptor = os.open(f"/proc/{pid}/comm", os.O_RDONLY)
    except OSError:
        return ""
    try:
        # At most 15 bytes; the process may end meanwhile.
        return os.read(descriptor, 64).decode(errors="replace").strip()
    except ProcessLookupError:
        return ""
    finally:
        os.close(descriptor)


def _parent(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    # The name of the program may hold spaces and brackets.
    return int(text.rpartition(")")[2].split()[1])
