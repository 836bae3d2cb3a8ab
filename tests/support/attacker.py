"""An ordinary user of the machine who acts between any two steps of the code under test."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.forked import become, in_child

# Nobody of this machine.
UID = 54321

Step = Callable[[], None]

_listener: list[Step] = []
_STEPS = ("open", "os.", "shutil.")
# Steps that Python tells no audit hook of.
_SILENT = ("stat", "lstat", "fstat", "readlink", "lseek", "fsync", "read")


def _heard(event: str, _arguments: tuple[Any, ...]) -> None:
    if _listener and event.startswith(_STEPS):
        _listener[-1]()


sys.addaudithook(_heard)


@contextlib.contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder of root's that every user can enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="rdna1-attack-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def as_attacker(action: Step, uid: int = UID) -> None:
    """Do something in a process of the user; what the user may not do is not done."""

    def act() -> None:
        _listener.clear()
        become(uid, uid)
        with contextlib.suppress(OSError):
            action()

    in_child(act)


@contextlib.contextmanager
def before_each_step(listener: Step) -> Iterator[None]:
    """Have a function called before each step that looks at files or changes them."""
    originals = {name: getattr(os, name) for name in _SILENT}

    def announced(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if _listener:
                _listener[-1]()
            return originals[name](*arguments, **named)

        return call

    def once() -> None:
        _listener.append(lambda: None)
        try:
            listener()
        finally:
            _listener.pop()

    for name in _SILENT:
        setattr(os, name, announced(name))
    _listener.append(once)
    try:
        yield
    finally:
        _listener.pop()
        for name, original in originals.items():
            setattr(os, name, original)


def attacked_at_each_step(prepare: Callable[[], Step], run: Step, attack: Step) -> Iterator[int]:
    """Run something again and again, the attack one step later each time.

    Args:
        prepare: makes the files again; returns what comes back to a clean state.
        run: the code under test; may fail with OSError.
        attack: of the user.

    Yields:
        The number of the step before which the attack was, after the run.
    """
    number, reached = 0, True
    while reached:
        clean = prepare()
        count = [0]

        def listen(number: int = number, count: list[int] = count) -> None:
            count[0] += 1
            if count[0] == number + 1:
                as_attacker(attack)

        with before_each_step(listen):
            run()
        reached = count[0] > number
        if reached:
            yield number
        clean()
        number += 1


def owned_tree(root: Path) -> dict[str, tuple[Any, ...]]:
    """Path to owner, mode and content of everything below a folder that is root's alone."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content: Any = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        found[str(path)] = (status.st_uid, status.st_gid, status.st_mode, content)
    return found
