"""Other versions of Python on the machine that runs the tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


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
