"""Programs that a test interrupts as a user does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path


def ignores_sigterm(pid: int) -> bool:
    """Whether a process has come to where the simulated device hangs."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False
    ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(ignored, 16) & 1 << (signal.SIGTERM - 1))


def interrupt(
    command: Sequence[str], folder: Path, wait: Callable[[], None]
) -> subprocess.CompletedProcess[str]:
    """Start a command in a session of its own, wait, and press Ctrl-C.

    Args:
        command: program and arguments.
        folder: where it runs.
        wait: returns when the moment has come.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            wait()
            os.killpg(run.pid, signal.SIGINT)
            stdout, stderr = run.communicate()
        finally:
            # A wait in vain must not leave it waiting for its hang.
            run.kill()
    return subprocess.CompletedProcess(command, run.returncode, stdout, stderr)
