"""Compile what an environment's programs may import, once, as only its owner may write there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Test suites that wheels carry, torch's tools for its own, and benchmarks: no program imports them.
# Of torch and what it needs they are a fifth of all files (find . -path '*/tests/*').
_LEFT_OUT = "/(?:.*/)?(?:tests?|testing/_internal|benchmarks)/"
# Without the collector of cycles, of which compiling makes none that matter, it takes a tenth less.
_PROGRAM = """
import compileall, gc, re, sys
gc.disable()
left_out = re.compile(sys.argv[1])
done = [compileall.compile_dir(folder, quiet=1, workers=0, rx=left_out) for folder in sys.argv[2:]]
sys.exit(not all(done))
"""
# A file that this Python cannot compile is one for another Python. What the machine refuses is a
# failure: compileall names it by its number, and tells neither from the other by its exit code.
_REFUSED = re.compile(r"^(?:\w+Error: \[Errno |Traceback )", re.MULTILINE)


class BytecodeError(Exception):
    """The machine could not compile or write; the message is what Python printed."""


def how_it_ended(status: int) -> str:
    """Say how a process ended, as its ``returncode`` tells: a negative one is a signal."""
    if status >= 0:
        return f"ended with {status}"
    names = {number.value: number.name for number in signal.Signals}
    return f"was killed by {names.get(-status, f'signal {-status}')}"


def package_folders(environment: Path) -> list[Path]:
    """Folders of the packages that an environment has now."""
    return sorted(path for path in environment.glob("lib/python*/site-packages/*") if path.is_dir())


def compile_bytecode(
    environment: Path, inherited: Sequence[int] = (), folders: Sequence[Path] = ()
) -> None:
    """Compile every package of an environment but for the test suites, on all cores.

    What is compiled already is left as it is.

    Args:
        environment: its folder.
        inherited: file descriptors that the processes keep open.
        folders: of its packages; none stands for all.

    Raises:
        BytecodeError: a file could not be written, or a process died.
    """
    packages = environment / "lib"
    command = [
        str(environment / "bin" / "python"),
        *("-I", "-c", _PROGRAM, f"^{re.escape(str(packages))}{_LEFT_OUT}"),
        *map(str, folders or [packages]),
    ]
    done = subprocess.run(  # noqa: S603 (an argument list, no shell)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        pass_fds=inherited,
        check=False,
    )
    said = done.stdout.decode(errors="replace").strip()
    if done.returncode not in (0, 1) or _REFUSED.search(said):
        raise BytecodeError(f"{said}\ncompileall {how_it_ended(done.returncode)}".strip())
