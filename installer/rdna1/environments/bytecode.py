"""Compile what an environment's programs may import, once, as only its owner may write there."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Test suites that wheels carry and no program imports: of torch and what it needs they are a
# fifth of all files (find . -path '*/tests/*').
_TEST_SUITES = "/(?:.*/)?tests?/"
# Without the collector of cycles, of which compiling makes none that matter, it takes a tenth less.
_PROGRAM = """
import compileall, gc, re, sys
gc.disable()
done = compileall.compile_dir(sys.argv[1], quiet=1, workers=0, rx=re.compile(sys.argv[2]))
sys.exit(not done)
"""
# A file that this Python cannot compile is one for another Python. What the machine refuses is a
# failure: compileall names it by its number, and tells neither from the other by its exit code.
_REFUSED = re.compile(r"^(?:\w+Error: \[Errno |Traceback )", re.MULTILINE)


class BytecodeError(Exception):
    """The machine could not compile or write; the message is what Python printed."""


def compile_bytecode(environment: Path, inherited: Sequence[int] = ()) -> None:
    """Compile every package of an environment but for the test suites, on all cores.

    Args:
        environment: its folder.
        inherited: file descriptors that the processes keep open.

    Raises:
        BytecodeError: a file could not be written, or a process died.
    """
    packages = environment / "lib"
    command = [
        str(environment / "bin" / "python"),
        *("-I", "-c", _PROGRAM, str(packages)),
        f"^{re.escape(str(packages))}{_TEST_SUITES}",
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
        raise BytecodeError(f"{said}\ncompileall ended with {done.returncode}".strip())
