"""Kills at a chosen place: in the middle of the transaction, and at the beginning of each phase."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from faults import processes
from faults.assess import full_state, reported
from faults.cases.bench import Bench, refused, shell, wait_for_phase, wait_until
from faults.machines import Machine, commit
from faults.plays import PROVISION, ROLLBACK, Play, run

# So many packages are unpacked that the status file looks settled and is not.
_JOURNAL_ENTRIES = 8
_HOLD = """
import fcntl, sys, time
locks = [open(f'/var/lib/dpkg/{name}', 'w') for name in ('lock-frontend', 'lock')]
for lock in locks:
    fcntl.lockf(lock, fcntl.LOCK_EX)
print('held', flush=True)
time.sleep(float(sys.argv[1]))
"""


def _interrupted_transaction(bench: Bench, how: str) -> Machine:
    """A machine whose transaction was interrupted while dpkg's journal was full."""
    machine = bench.machine()
    play = bench.start(machine, log="1-killed")
    updates = machine.root() / "var/lib/dpkg/updates"
    wait_until(play, lambda: len(list(updates.iterdir())) >= _JOURNAL_ENTRIES)
    if how == "apt-get":
        init = machine.init()
        processes.kill(processes.inside(init, "apt-get"))
        play.wait()
    elif how == "machine":
        machine.kill()
        play.wait()
        machine.boot()
    else:
        play.kill_group()
        play.end()
    return machine


def apt_killed_rerun(bench: Bench) -> list[str]:
    """apt-get killed alone while dpkg's journal is full, then a rerun."""
    return bench.follow("rerun", _interrupted_transaction(bench, "apt-get"))


def apt_killed_rollback(bench: Bench) -> list[str]:
    """apt-get killed alone while dpkg's journal is full, then a rollback."""
    return bench.follow("rollback", _interrupted_transaction(bench, "apt-get"))


def power_lost_rerun(bench: Bench) -> list[str]:
    """Power lost while dpkg's journal is full, then a rerun."""
    return bench.follow("rerun", _interrupted_transaction(bench, "machine"))


def power_lost_rollback(bench: Bench) -> list[str]:
    """Power lost while dpkg's journal is full, then a rollback."""
    return bench.follow("rollback", _interrupted_transaction(bench, "machine"))


def group_killed_rerun(bench: Bench) -> list[str]:
    """The controller's processes killed while apt works on, a rerun at once."""
    return bench.follow("rerun", _interrupted_transaction(bench, "group"))


def group_killed_rollback(bench: Bench) -> list[str]:
    """The controller's processes killed while apt works on, a rollback at once."""
    return bench.follow("rollback", _interrupted_transaction(bench, "group"))


def journal_draft_rollback(bench: Bench) -> list[str]:
    """dpkg killed before its first entry in the journal, whose draft stays; then a rollback."""
    machine = bench.machine()
    play = bench.start(machine, log="1-killed")
    wait_for_phase(play, "provision", "repository")
    play.kill_group()
    # No kill meets the moment at will: the draft is made as dpkg makes it (lib/dpkg/dbmodify.c).
    machine.run("truncate", "--size=16384", "/var/lib/dpkg/updates/tmp.i")
    return bench.follow("rollback", machine)


def removal_killed(bench: Bench, way: str) -> list[str]:
    """apt-get killed alone while a rollback removes packages."""
    machine = bench.machine(image=bench.reference.provisioned)
    shutil.copytree(bench.reference.locks, bench.folder / "inventory" / "locks")
    play = bench.start(machine, ROLLBACK, log="1-killed")
    updates = machine.root() / "var/lib/dpkg/updates"
    wait_until(play, lambda: len(list(updates.iterdir())) >= _JOURNAL_ENTRIES)
    processes.kill(processes.inside(machine.init(), "apt-get"))
    play.wait()
    return bench.follow(way, machine)


@contextmanager
def held_lock(machine: Machine, seconds: float) -> Iterator[None]:
    """dpkg's locks, held by another program for a while from now on."""
    command = ["podman", "exec", machine.name, "python3", "-c", _HOLD, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        yield


def lock_held_unfinished(bench: Bench) -> list[str]:
    """A lock held next to packages that are not configured: the rerun waits and repairs."""
    machine = _interrupted_transaction(bench, "machine")
    with held_lock(machine, bench.lock_seconds):
        return bench.follow("rerun", machine)


def lock_held_rollback(bench: Bench) -> list[str]:
    """A lock held next to packages that are not configured: the rollback waits."""
    machine = _interrupted_transaction(bench, "machine")
    with held_lock(machine, bench.lock_seconds):
        return bench.follow("rollback", machine)


def lock_held_first_run(bench: Bench) -> list[str]:
    """A lock held from before the first run on: it waits."""
    machine = bench.machine()
    with held_lock(machine, bench.lock_seconds):
        return bench.follow("rerun", machine)


def between_apt_and_snapshot(bench: Bench) -> list[str]:
    """The controller's processes killed between apt and the second snapshot, then a rollback."""
    machine = bench.machine()
    # Neither their names nor a mark of apt's says whose they are.
    asked = json.dumps({"rocm_more_packages": ["libnuma1", "pciutils"]})
    play = bench.start(machine, (*PROVISION, f"--extra-vars={asked}"), log="1-killed")
    wait_for_phase(play, "provision", "groups")
    play.kill_group()
    return bench.follow("rollback", machine)


def power_at(bench: Bench, playbook: str, phase: str) -> list[str]:
    """Power lost at the beginning of a phase, what preflight says then, and going on both ways."""
    is_rollback = playbook == "rollback"
    machine = bench.machine(image=bench.reference.provisioned if is_rollback else "")
    if is_rollback:
        shutil.copytree(bench.reference.locks, bench.folder / "inventory" / "locks")
    play = bench.start(machine, ROLLBACK if is_rollback else PROVISION, log="1-killed")
    # A phase that has nothing to do is never come to: then the power is lost at the end.
    wait_for_phase(play, playbook, phase)
    machine.kill()
    play.wait()
    machine.boot()
    bench.preflight = _preflight(bench, machine)
    # The same machine twice: one kill is enough for both ways.
    image = f"{bench.reference.virgin.image.rpartition(':')[0]}:{bench.name}"
    commit(machine.name, image)
    problems = [f"rerun: {problem}" for problem in bench.follow("rerun", machine)]
    machine.remove()
    copy = bench.machine(image=image, name="-copy")
    return problems + [f"rollback: {problem}" for problem in bench.follow("rollback", copy)]


def _preflight(bench: Bench, machine: Machine) -> list[str]:
    """Checks that report something which they do not report of a virgin machine."""
    options = ["playbooks/preflight.yml", "--extra-vars=preflight_fail=false"]
    run(machine, options, bench.folder / "preflight.log")
    return sorted(reported(machine) - bench.reference.reported)


def owners_folder(bench: Bench) -> list[str]:
    """An owner's folder at the place of the environment before the first run."""
    return _owners(bench, "mkdir -p /opt/rdna1/rocm-5.7; echo mine > /opt/rdna1/rocm-5.7/mine")


def owners_venv(bench: Bench) -> list[str]:
    """An owner's virtual environment at the place of the environment before the first run."""
    return _owners(bench, "python3 -m venv --without-pip /opt/rdna1/rocm-5.7")


def _owners(bench: Bench, script: str) -> list[str]:
    """Either refused with a remedy and untouched, or kept through a repair and put back."""
    machine = bench.machine()
    shell(machine, script)
    before = full_state(machine)
    play, status = bench.play(machine)
    if status != 0:
        problems = refused(play, status, "/opt/rdna1/rocm-5.7", "Remedy")
        return [*problems, *bench.roll_back(machine, before)]
    # A repair removes old environments; it must not be the owner's.
    shell(machine, "rm /opt/rdna1/rocm-5.7/lib/python3*/site-packages/torch.py")
    _, status = bench.play(machine, log="2-repair")
    problems = [] if status == 0 else [f"the repair ended with {status}"]
    return [*problems, *bench.roll_back(machine, before)]


def two_at_once(bench: Bench) -> list[str]:
    """Two runs against one machine at once: both end, and the machine is provisioned."""
    machine = bench.machine()
    other = dataclasses.replace(machine, folder=bench.folder / "other")
    other.folder.mkdir()
    first = bench.start(machine, log="1-first")
    second = Play(other, PROVISION, bench.folder / "1-second.log")
    ended = [(play, play.wait()) for play in (first, second)]
    problems = [
        problem for play, status in ended if status != 0 for problem in refused(play, status)
    ]
    if all(status != 0 for _, status in ended):
        problems.append("neither run succeeded")
    return [*problems, *bench.new(machine)]
