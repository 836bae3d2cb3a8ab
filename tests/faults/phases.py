"""The phases of a run and of a rollback, and the tasks of the roles that make them up."""

from __future__ import annotations

import re
from typing import NamedTuple


class Phase(NamedTuple):
    """A part of a playbook, by the tasks that it begins with.

    Attributes:
        name: as docs/reliability.md has it.
        playbook: ``provision`` or ``rollback``.
        role: whose tasks it is made of.
        tasks: a pattern of the names of its first tasks.
    """

    name: str
    playbook: str
    role: str
    tasks: str


# In the order of the run. A task that no pattern names belongs to the phase before it.
PHASES = (
    Phase("preflight", "provision", "preflight", ".*"),
    Phase("snapshot", "provision", "snapshot", "Write down the state of the machine, before"),
    Phase("offline", "provision", "offline", ".*"),
    Phase("choose", "provision", "rocm", "Validating arguments"),
    Phase("repository", "provision", "rocm", "Create the folder of keyrings"),
    Phase("transaction", "provision", "rocm", "Install ROCm's packages"),
    Phase("groups", "provision", "rocm", "Give users access"),
    Phase("lock", "provision", "pytorch", "Validating arguments"),
    Phase("venv", "provision", "pytorch", "Build the environment and switch"),
    Phase("profile", "provision", "environment", ".*"),
    Phase("validate", "provision", "validate", ".*"),
    Phase("finish", "provision", "snapshot", "Write down the state of the machine, after"),
    Phase("plan", "rollback", "rollback", ".*Compare the machine with"),
    Phase("packages", "rollback", "rollback", "Finish what|Remove the packages"),
    Phase("files", "rollback", "rollback", "Put files and groups back"),
    Phase("versions", "rollback", "rollback", "Read the lists|Ask apt|Install the versions"),
    Phase("marks", "rollback", "rollback", "Compare the marks|Mark packages"),
    Phase("close", "rollback", "rollback", "Remove the snapshots|Report what stays"),
)
BEGINNING = "start"
_TASK = re.compile(r"^TASK \[(\w+) : (.*?)\] \**$", re.MULTILINE)


def phase_of(playbook: str, text: str) -> str:
    """The phase that a playbook has come to, by what it printed.

    Args:
        playbook: ``provision`` or ``rollback``.
        text: all that it printed.
    """
    current = BEGINNING
    for role, task in _TASK.findall(text):
        current = next(
            (
                phase.name
                for phase in PHASES
                if (phase.playbook, phase.role) == (playbook, role) and re.match(phase.tasks, task)
            ),
            current,
        )
    return current
