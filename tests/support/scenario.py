"""The scenario that Molecule runs: its folder, its box, and the box before the first play.

Molecule names scenario and folder in the environment of everything that it starts.
"""

from __future__ import annotations

import os
from pathlib import Path

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


def remember_state() -> None:
    """Write down the state of the box."""
    save(scenario_box(), _remembered())


def change_of_state() -> dict[str, list[str]]:
    """What differs from the state that was written down."""
    return difference(load(_remembered()), state(scenario_box()))


def _remembered() -> Path:
    return scenario_folder() / "state.json"
