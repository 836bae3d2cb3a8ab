"""Steps of the fault run: each kills one thing at one moment, and goes on by one way."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from faults import processes
from faults.assess import left_behind, not_new, not_old
from faults.machines import Machine, Virgin
from faults.phases import phase_of
from faults.plays import PROVISION, ROLLBACK, Play, run
from support.box_state import State

TARGETS = ("controller", "group", "apt-get", "dpkg", "uv", "machine")
# Of a run that is killed; the rest kill a rollback of a provisioned machine.
PROVISIONING_SHARE = 0.8
LATEST = 1.1
# A killed machine's controller hears of it from its connection.
NOTICE_SECONDS = 90
_POLL_SECONDS = 0.02
NO_SNAPSHOT = "there is no snapshot in"
PLAYBOOKS = {"provision": PROVISION, "rollback": ROLLBACK}


class Step(msgspec.Struct, frozen=True):
    """What one step does.

    Attributes:
        number: of the step, from 1.
        playbook: that is killed: ``provision`` or ``rollback``.
        target: what is killed.
        moment: when, as a part of the undisturbed time; for a program of the machine of the time
            that it runs there.
        follow: what comes next, ``rerun`` or ``rollback``.
    """

    number: int
    playbook: str
    target: str
    moment: float
    follow: str


class StepOutcome(msgspec.Struct, frozen=True):
    """What came of a step.

    Attributes:
        step: what it did.
        phase: the phase in which the kill hit.
        hit: how many processes the kill hit; 0 where the target was not there until the end.
        killed_after: seconds from the start of the playbook to the kill.
        problems: why the state at the end is illegal; empty for a legal one.
        left: what was left where nobody looks, in a legal state.
        workers: processes that the killed playbook left on the controller.
        seconds: that the step took.
        log: folder of what was printed.
        commit: that was run.
    """

    step: Step
    phase: str
    hit: int
    killed_after: float
    problems: list[str]
    left: list[str]
    workers: int
    seconds: float
    log: str
    commit: str = ""


@dataclass(frozen=True)
class Reference:
    """What an undisturbed run is like on this machine.

    Attributes:
        virgin: what every step starts from.
        provisioned: the image of a machine after a run.
        old: state before a run.
        new: state after it.
        seconds: that playbooks took, by name.
        windows: for how long programs ran on the machine, by playbook and program.
        added: bytes that a run adds below folders.
        reported: checks of preflight that do not pass on the virgin machine.
        locks: folder with the lock of the wheels, as the run made it.
    """

    virgin: Virgin
    provisioned: str
    old: State
    new: State
    seconds: dict[str, float]
    windows: dict[str, dict[str, float]]
    added: dict[str, int]
    reported: set[str]
    locks: Path


def draw(seed: int, number: int) -> Step:
    """The step of a number, the same whenever it is asked for."""
    dice = random.Random(f"{seed}/{number}")  # noqa: S311 (a test's choice, no secret)
    target = TARGETS[(number - 1) % len(TARGETS)]
    is_provisioning = dice.random() < PROVISIONING_SHARE or target == "uv"
    return Step(
        number,
        "provision" if is_provisioning else "rollback",
        target,
        round(dice.uniform(0, LATEST), 3),
        dice.choice(("rerun", "rollback")),
    )


def take(step: Step, reference: Reference, folder: Path) -> StepOutcome:
    """Take a step on a machine of its own.

    Args:
        step: what to do.
        reference: what an undisturbed run is like.
        folder: for all that is printed.
    """
    started = time.monotonic()
    image = reference.provisioned if step.playbook == "rollback" else ""
    machine = reference.virgin.start(f"step-{step.number}", folder, image=image)
    if image:
        shutil.copytree(reference.locks, folder / "inventory" / "locks")
    play = Play(machine, PLAYBOOKS[step.playbook], folder / "1-killed.log")
    try:
        hit = _kill(step, machine, play, reference)
        phase, after = phase_of(step.playbook, play.text()), play.seconds
        problems = follow(step.follow, machine, reference, folder)
    finally:
        workers = play.end()
        left = left_behind(machine) if machine.runs() else []
        machine.remove()
    return StepOutcome(
        step, phase, hit, round(after, 1), problems, left, workers,
        round(time.monotonic() - started, 1), str(folder),
    )  # fmt: skip


def _kill(step: Step, machine: Machine, play: Play, reference: Reference) -> int:
    """Wait for the moment and kill; gives how many processes were hit."""
    if step.target in ("controller", "group", "machine"):
        moment = step.moment * reference.seconds[step.playbook]
        time.sleep(max(0.0, moment - play.seconds))
        return _kill_whole(step.target, machine, play)
    window = reference.windows[step.playbook].get(step.target, 0.0)
    init, first = machine.init(), 0.0
    while not play.ended:
        found = processes.inside(init, step.target)
        now = time.monotonic()
        first = first or (now if found else 0.0)
        if found and now - first >= step.moment * window:
            hit = processes.kill(found, lambda pid: pid in processes.inside(init, step.target))
            # What it belongs to notices that it is gone, and says so.
            play.wait()
            return hit
        time.sleep(_POLL_SECONDS)
    return 0


def _kill_whole(target: str, machine: Machine, play: Play) -> int:
    if target == "machine":
        machine.kill()
        play.wait(NOTICE_SECONDS)
        machine.boot()
        return 1
    return play.kill_controller() if target == "controller" else play.kill_group()


def follow(way: str, machine: Machine, reference: Reference, folder: Path) -> list[str]:
    """Go on after a kill; gives why the state that it ends in is illegal.

    Args:
        way: ``rerun`` or ``rollback``.
        machine: that was left unfinished.
        reference: what an undisturbed run is like.
        folder: for all that is printed.
    """
    if way == "rollback":
        play, status = run(machine, ROLLBACK, folder / "2-rollback.log")
        problems = not_old(machine, reference.old)
        # Before the first change there is nothing to take back.
        if status != 0 and (problems or NO_SNAPSHOT not in play.text()):
            problems.insert(0, _ended("the rollback", play, status))
        return problems
    play, status = run(machine, PROVISION, folder / "2-rerun.log")
    if status != 0:
        return [_ended("the rerun", play, status)]
    second, status = run(machine, PROVISION, folder / "3-second.log")
    problems = [] if status == 0 else [_ended("the second run", second, status)]
    if not second.changed_nothing():
        problems.append("the second run changed something")
    return [*problems, *not_new(machine, reference.new)]


def _ended(what: str, play: Play, status: int | None) -> str:
    role, task = play.task()
    how = "did not end by itself" if status is None else f"ended with {status}"
    return f"{what} {how} in the task '{role} : {task}'"
