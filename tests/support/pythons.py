"""Other versions of Python on the machine that runs the tests, which it lends to boxes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.boxes import Box


def find_python(version: str) -> Path | None:
    """The interpreter of a version such as ``3.12``, or None where there is none.

    A shim of pyenv answers on the path even where its version is not the active one, so pyenv
    is asked as well.
    """
    program = f"python{version}"
    where = f"import sys; print(sys.base_prefix + '/bin/{program}')"
    for command in ([program, "-c", where], ["pyenv", "prefix", version]):
        if shutil.which(command[0]) is None:
            continue
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            path = Path(found.stdout.strip())
            return path / "bin" / program if path.is_dir() else path
    return None


def lending(python: Path) -> str:
    """The option of podman that mounts a Python where it is here: it was built for that place."""
    return f"--volume={python.parents[1]}:{python.parents[1]}:ro"


def add_lent(box: Box, python: Path) -> None:
    """Make a mounted Python one of the box's own, as a distribution has it: every user runs it."""
    box.run("ln", "-s", str(python), f"/usr/bin/{python.name}")
    # It may be in the home of who runs the tests.
    box.run("chmod", "o+x", *map(str, python.parents[1].parents))
