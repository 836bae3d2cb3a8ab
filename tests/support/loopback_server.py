"""A folder that is served on loopback by a container.

Unlike a server in the process of a test it goes on when the program that started it ends, and is
found and removed by its name.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from support.boxes import run_container, sandbox_image

SECONDS = 60
_SERVED_AT = re.compile(r"Serving HTTP on (127\.0\.0\.1) port (\d+)")
# A port of the kernel's choice, on the host's network, which boxes share.
_COMMAND = ("python3", "-u", "-m", "http.server", "0", "--bind=127.0.0.1", "--directory=/srv")


def start_server(name: str, folder: Path, options: Sequence[str] = ()) -> str:
    """Serve a folder; gives its address, without a slash at the end.

    Args:
        name: of the container.
        folder: that is served, with a listing of every folder below it.
        options: further options of ``podman run``.
    """
    volume = f"--volume={folder}:/srv:ro"
    run_container(name, sandbox_image(), [volume, *options], _COMMAND)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        logged = subprocess.run(
            ["podman", "logs", name], capture_output=True, text=True, check=True
        )
        found = _SERVED_AT.search(logged.stdout + logged.stderr)
        if found:
            return f"http://{found[1]}:{found[2]}"
        time.sleep(0.1)
    raise TimeoutError(f"{name} serves nothing after {SECONDS} s: {logged.stdout}{logged.stderr}")
