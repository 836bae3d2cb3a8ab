"""What undisturbed runs are like on this machine: how long they take, and what they lead to."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from faults import processes
from faults.assess import full_state, not_new, not_old, reported
from faults.machines import PREFIX, Machine, Virgin, commit
from faults.plays import PROVISION, ROLLBACK, Play
from faults.steps import Reference

PROGRAMS = ("apt-get", "dpkg", "uv")
FOLDERS = ("/usr", "/opt", "/var")
_POLL_SECONDS = 0.05


class UndisturbedError(Exception):
    """An undisturbed run did not do what it should; there is nothing to compare with."""


def measure(virgin: Virgin, name: str, folder: Path, *, is_earlier: bool = False) -> Reference:
    """Run and roll back undisturbed.

    Args:
        virgin: what to start from.
        name: of the images of this run.
        folder: for all that is printed.
        is_earlier: an earlier commit is run. What it does not take back undisturbed is a part of
            the old state then, so that a disturbed run is compared with what it does at its best.

    Raises:
        UndisturbedError: it failed, or the rollback did not lead back.
    """
    machine = virgin.start("reference", folder)
    try:
        old, sizes = full_state(machine), _sizes(machine)
        provision = Play(machine, PROVISION, folder / "1-provision.log")
        windows = {"provision": _watch(machine, provision)}
        seconds = {"provision": provision.seconds}
        _require(provision)
        new = full_state(machine)
        checks = reported(machine)
        problems = not_new(machine, new)
        if problems and not is_earlier:
            raise UndisturbedError(f"an undisturbed run does not serve its users: {problems}")
        added = {path: size - sizes[path] for path, size in _sizes(machine).items()}
        image = f"localhost/{PREFIX}-{name}:provisioned"
        commit(machine.name, image)
        rollback = Play(machine, ROLLBACK, folder / "2-rollback.log")
        windows["rollback"] = _watch(machine, rollback)
        seconds["rollback"] = rollback.seconds
        _require(rollback)
        if is_earlier:
            old = full_state(machine)
        problems = not_old(machine, old)
    finally:
        machine.remove()
    if problems:
        raise UndisturbedError(f"an undisturbed rollback does not lead back: {problems}")
    locks = folder / "locks"
    shutil.copytree(folder / "inventory" / "locks", locks, dirs_exist_ok=True)
    return Reference(virgin, image, old, new, seconds, windows, added, checks, locks)


def _sizes(machine: Machine) -> dict[str, int]:
    """Bytes below the folders that a run adds to."""
    listed = machine.run("du", "--summarize", "--block-size=1", *FOLDERS).splitlines()
    return {path: int(size) for size, path in (line.split() for line in listed)}


def _watch(machine: Machine, play: Play) -> dict[str, float]:
    """Wait for the end of a play; gives for how long each program ran, from first to last."""
    init = machine.init()
    spans: dict[str, tuple[float, float]] = {}
    while not play.ended:
        now = time.monotonic()
        for program in PROGRAMS:
            if processes.inside(init, program):
                spans[program] = (spans.get(program, (now, now))[0], now)
        time.sleep(_POLL_SECONDS)
    return {program: round(last - first, 2) for program, (first, last) in spans.items()}


def _require(play: Play) -> None:
    if play.wait() != 0:
        raise UndisturbedError(f"an undisturbed run failed, see {play.log}")
