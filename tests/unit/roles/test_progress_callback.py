"""What a run shows of names and on a terminal; its plays are in tests/integration/plays."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from support.modules import load_by_path

ROOT = Path(__file__).parents[3]


def test_names_of_packages_are_not_broken_at_hyphens() -> None:
    plugin = load_by_path(ROOT / "installer/ansible_plugins/callback/rdna1_progress.py")
    lines = plugin._wrapped("remove the packages clang-17 libhiprtc-builtins5", 30)
    assert lines == ["remove the packages clang-17", "libhiprtc-builtins5"]


@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_shows_what_lasts_in_one_line_of_its_width(columns: int) -> None:
    leader, follower = pty.openpty()
    program = f"""
import os, time
from rdna1.cli.progress import Progress
os.environ["COLUMNS"] = "{columns}"
now = 0.0
time.monotonic = lambda: now
progress = Progress({follower})
written, write = [], progress._write
progress._write = lambda text: (write(text), written.append(text))
progress.begin("rocm: Install ROCm's packages, and all that comes with them and with others")
now = 3.0
while not written:
    time.sleep(0.05)
progress.end()
time.sleep(1.2)
"""
    try:
        subprocess.run([sys.executable, "-c", program], pass_fds=[follower], check=True)
        shown = os.read(leader, 4096).decode()
    finally:
        os.close(leader)
        os.close(follower)
    first, *lines, last = shown.split("\r\033[K")
    assert (first, last) == ("", "")
    assert lines
    assert all(line.startswith("  rocm: Install ROCm's") for line in lines)
    assert all(len(line) < columns for line in lines)
    assert lines[-1].endswith(" ... 3 s")
