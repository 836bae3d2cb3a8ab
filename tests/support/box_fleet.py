"""Several boxes in one inventory, or one box under several names."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.boxes import VARIABLES, Box, run_playbook


def play_together(
    boxes: Sequence[Box],
    folder: Path,
    *arguments: str,
    playbook: str = "site.yml",
    own: Mapping[str, Mapping[str, object]] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook against boxes in one play.

    Args:
        boxes: in the order of the inventory.
        folder: for the inventory, its lock files and the reports.
        arguments: of ``ansible-playbook``.
        playbook: its path in the project.
        own: variables of single boxes, by their names.
    """
    inventory = folder / "fleet.json"
    shared = {**VARIABLES, "rdna1_report_dir": str(folder / "reports")}
    hosts = {box.name: (own or {}).get(box.name, {}) for box in boxes}
    inventory.write_text(json.dumps({"all": {"vars": shared, "hosts": hosts}}))
    return run_playbook(inventory, playbook, arguments)


def play_refused(
    box: Box, cases: Mapping[str, Mapping[str, object]], *arguments: str, playbook: str = "site.yml"
) -> str:
    """Run a playbook once against a box that has a name for each case; all have to fail.

    What a run refuses before it changes anything, it refuses for each name by itself, one after the
    other: one start of Ansible for all of them.

    Args:
        box: that stays as it is.
        cases: variables by the name.
        arguments: of ``ansible-playbook``.
        playbook: its path in the project.

    Returns:
        What was printed, without its line breaks.
    """
    names = [Box(name, box.folder) for name in cases]
    own = {name: {"ansible_host": box.name, **given} for name, given in cases.items()}
    played = play_together(names, box.folder, "--forks=1", *arguments, playbook=playbook, own=own)
    counts = recap(played)
    ended = {name: bool(counts[name]["failed"]) for name in cases}
    assert ended == dict.fromkeys(cases, True), played.stdout
    return " ".join((played.stdout + played.stderr).split())


def recap(played: subprocess.CompletedProcess[str]) -> dict[str, dict[str, int]]:
    """The counts of the recap, such as ``changed``, by the name of the box."""
    lines = played.stdout.rpartition("PLAY RECAP")[2].splitlines()[1:]
    counts = {}
    for name, found, rest in (line.partition(":") for line in lines):
        if found:
            pairs = (word.partition("=") for word in rest.split())
            counts[name.strip()] = {key: int(value) for key, _, value in pairs}
    return counts
