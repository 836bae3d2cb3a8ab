"""What a named case needs: machines, plays against them, and the legal states to compare with."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from faults.assess import not_new, not_old
from faults.machines import Machine
from faults.phases import phase_of
from faults.plays import PROVISION, ROLLBACK, Play, run
from faults.steps import Reference, follow
from support.box_state import State

# What no message to a user may consist of.
NO_MESSAGES = (
    "Traceback (most recent call last)",
    "Module result deserialization failed",
    "MODULE FAILURE",
    "ended with -9",
)
_POLL_SECONDS = 0.05


class Verdict(msgspec.Struct, frozen=True):
    """What came of a case.

    Attributes:
        name: of the case.
        problems: why its end is illegal; empty for a legal one.
        seconds: that it took.
        log: folder of what was printed.
        preflight: checks that preflight reports in the unfinished state and not before.
        commit: that was run.
    """

    name: str
    problems: list[str]
    seconds: float
    log: str
    preflight: list[str] = []
    commit: str = ""


@dataclass
class Bench:
    """A case's place to work.

    Attributes:
        name: of the case.
        reference: what an undisturbed run is like.
        folder: for all that is printed.
        lock_seconds: for how long a foreign lock is held.
        preflight: what preflight said of the unfinished machine.
        machines: those that were started, removed at the end.
    """

    name: str
    reference: Reference
    folder: Path
    lock_seconds: float = 10.0
    preflight: list[str] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)

    def machine(
        self,
        *options: str,
        image: str = "",
        name: str = "",
        mounts: Mapping[str, str] | None = None,
    ) -> Machine:
        """A virgin machine, with further options of ``podman run``; see `Virgin.start`."""
        folder = self.folder / (name or ".")
        made = self.reference.virgin.start(
            f"{self.name}{name}", folder, options, image=image, mounts=mounts
        )
        self.machines.append(made)
        return made

    def play(
        self, machine: Machine, playbook: Sequence[str] = PROVISION, log: str = "1", **how: object
    ) -> tuple[Play, int | None]:
        """Run a playbook to its end."""
        return run(machine, playbook, self.folder / f"{log}.log", **how)  # type: ignore[arg-type]

    def start(self, machine: Machine, playbook: Sequence[str] = PROVISION, log: str = "1") -> Play:
        """Start a playbook, to disturb it."""
        return Play(machine, playbook, self.folder / f"{log}.log")

    def follow(self, way: str, machine: Machine) -> list[str]:
        """Rerun or roll back, and compare."""
        return follow(way, machine, self.reference, self.folder)

    def new(self, machine: Machine) -> list[str]:
        """What keeps a machine from the new state, with a second run that changes nothing."""
        second, status = self.play(machine, log="second")
        problems = (
            [] if status == 0 and second.changed_nothing() else ["the second run is not calm"]
        )
        return [*problems, *not_new(machine, self.reference.new)]

    def old(self, machine: Machine, state: State | None = None) -> list[str]:
        """What keeps a machine from the old state."""
        return not_old(machine, state or self.reference.old)

    def roll_back(self, machine: Machine, state: State | None = None) -> list[str]:
        """Roll back, which has to lead to the old state."""
        play, status = self.play(machine, ROLLBACK, log="rollback")
        problems = self.old(machine, state)
        if status != 0 and (problems or "there is no snapshot" not in play.text()):
            problems.insert(0, f"the rollback ended with {status}")
        return problems

    def close(self) -> None:
        """Remove the machines."""
        for machine in self.machines:
            machine.remove()


def wait_until(play: Play, condition: Callable[[], bool]) -> bool:
    """Wait until something is so or the play ended; gives whether it came to be."""
    while not play.ended:
        if condition():
            return True
        time.sleep(_POLL_SECONDS)
    return False


def wait_for_phase(play: Play, playbook: str, phase: str) -> bool:
    """Wait until a play has come to a phase; gives whether it did."""
    return wait_until(play, lambda: phase_of(playbook, play.text()) == phase)


def said(play: Play, *words: str) -> list[str]:
    """What is wrong with the message of a play that failed: words that it lacks, or a traceback."""
    text = " ".join(play.text().split())
    problems = [f"it says {phrase!r}" for phrase in NO_MESSAGES if phrase in text]
    return problems + [f"it does not say {word!r}" for word in words if word not in text]


def refused(play: Play, status: int | None, *words: str) -> list[str]:
    """What is wrong with a refusal: it has to fail with a cause and a remedy."""
    if status == 0:
        return ["it was not refused"]
    if status is None:
        return ["it did not end by itself"]
    return said(play, *words)


def execute(machine: Machine, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a machine that may fail."""
    return subprocess.run(
        ["podman", "exec", machine.name, *command], capture_output=True, text=True, check=False
    )


def shell(machine: Machine, script: str) -> None:
    """Run a script on a machine that has to succeed."""
    machine.run("sh", "-euc", script)
