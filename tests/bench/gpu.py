"""What rdna1-validate finds and takes on this machine's GPU, as the page docs/gpu.md.

Smoke test, search for a boundary up to 512 pixels, a sweep and timing, one after the other. The
page names the GPU: what an NVIDIA GPU does says nothing about a card of RDNA1.

    python tests/bench/gpu.py > docs/gpu.md

With ``--reports FOLDER`` the commands' reports are kept there, and those that are there are not
measured again: so a page can be made of several sessions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from rdna1.conv.result import CaseResult
from rdna1.measure.boundary.tried import tried

COMMANDS = {
    "smoke": [],
    "boundary": ["--max-side", "512"],
    "sweep": ["--side", "32:512:96", "--channels", "3->16,16->32,64->64", "--kernel", "1,3"],
    "timing": ["--channels", "16->32,64->64", "--side", "32,64,128,224", "--repeat", "9"],
}

PAGE = """\
# The commands on a GPU

Made by `python tests/bench/gpu.py` on one {name} with torch {torch}. It shows that
`rdna1-validate` works on a real GPU, through the interface that CUDA and ROCm share in torch. It
says nothing about a card of RDNA1.

| command | outcomes | largest relative error | workers lost | seconds |
|---|---|---|---|---|
{commands}

`boundary`: {boundary}

`timing`, 3x3 convolutions in float32, milliseconds:

| convolution | first run | warm | GFLOP/s |
|---|---|---|---|
{timing}
"""


def measured(command: str, folder: Path) -> dict[str, Any]:
    """The result of a command on the GPU, as its JSON."""
    output = folder / f"{command}.json"
    if output.exists():
        return read(output)
    program = [sys.executable, "-m", "rdna1.cli.validate", command, "--device", "cuda"]
    arguments = [*COMMANDS[command], "--format", "json", "--output", str(output)]
    done = subprocess.run([*program, *arguments], check=False, capture_output=True, text=True)
    if not output.exists():
        sys.exit(done.stderr)
    return read(output)


def read(output: Path) -> dict[str, Any]:
    """A report."""
    report: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return report


def summary(command: str, report: dict[str, Any]) -> str:
    """One line of the table of commands."""
    part = report["parts"][0] if "parts" in report else report
    outcomes = Counter(case["outcome"] for case in report["cases"])
    errors = [case["max_rel_err"] for case in report["cases"] if case["max_rel_err"] is not None]
    cells = (
        " ".join(["`rdna1-validate", command, *COMMANDS[command]]) + "`",
        ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items()),
        f"{max(errors):.1e}",
        str(part["workers_lost"]),
        f"{part['wall_seconds']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def coverage(report: dict[str, Any]) -> str:
    """How much a search has tried, and in what time."""
    cases = msgspec.convert(report["cases"], list[CaseResult])
    classes = tried(cases)
    failing = [each.name for each in classes if each.failed]
    minutes = report["wall_seconds"] / 60
    return (
        f"{len(cases)} cases in {len(classes)} classes of layers took {minutes:.1f} minutes; "
        f"fails in: {', '.join(failing) or 'none'}."
    )


def timed(case: dict[str, Any]) -> str:
    """One line of the table of times."""
    conv = case["case"]
    warm = median(case["warm_seconds"])
    name = f"{conv['c_in']}->{conv['c_out']} {conv['h']}x{conv['w']}"
    first = 1000 * case["first_seconds"]
    return f"| {name} | {first:.1f} | {1000 * warm:.3f} | {case['gflops']:.0f} |"


def main() -> None:
    """Measure and print the page."""
    parser = argparse.ArgumentParser(description="What the commands do on this machine's GPU.")
    parser.add_argument("--reports", type=Path, metavar="FOLDER", help="keep the reports there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = options.reports or Path(folder)
        reports = {command: measured(command, place) for command in COMMANDS}
    device = reports["smoke"]["device"]
    found = reports["boundary"]["result"]
    print(
        PAGE.format(
            name=device["name"],
            torch=device["torch"],
            commands="\n".join(summary(*item) for item in reports.items()),
            boundary=f"rule {found['rule']}, largest side tried {found['largest_side_tried']}; "
            + coverage(reports["boundary"]),
            timing="\n".join(map(timed, reports["timing"]["cases"])),
        ),
        end="",
    )


if __name__ == "__main__":
    main()
