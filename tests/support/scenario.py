"""The scenario that Molecule runs: its folder, its box, and the box before the first play.

Molecule names scenario and folder in the environment of everything that it starts.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from support.box_state import difference, load, save, state
from support.boxes import Box


def scenario_name() -> str:
    """Name of the scenario."""
    return os.environ["MOLECULE_SCENARIO_NAME"]


def scenario_folder() -> Path:
    """Folder for what lasts from the scenario's ``create`` to its ``destroy``."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


def scenario_box() -> Box:
    """The box of the scenario."""
    return Box(f"rdna1-molecule-{scenario_name()}", scenario_folder())


def log_of_plays() -> str:
    """What Ansible printed since the scenario was created."""
    return (scenario_folder() / "ansible.log").read_text(encoding="utf-8")


def served_addresses() -> dict[str, str]:
    """Where archives and wheels for the box are served, and the fingerprint of the key."""
    file = scenario_folder() / f"{scenario_box().name}.json"
    return msgspec.json.decode(file.read_bytes(), type=dict[str, str])


def remember_state(box: Box) -> None:
    """Write down the state of a box, to compare with it later."""
    save(box, _remembered())


def change_of_state() -> dict[str, list[str]]:
    """What differs from the state that was written down."""
    return difference(load(_remembered()), state(scenario_box()))


def _remembered() -> Path:
    return scenario_folder() / "state.json"
