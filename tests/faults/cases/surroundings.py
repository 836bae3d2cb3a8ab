"""Faults around the machine: disks, clock, locale, umask, network and inventory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faults.assess import full_state, not_new
from faults.cases.bench import Bench, refused, said, shell, wait_for_phase
from faults.machines import PREFIX, USER, Machine, podman
from faults.plays import PROVISION, ROLLBACK, Play

# Where Debian's package libfaketime puts it, on a machine of any architecture that has it.
FAKETIME = "usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
# Before each of about 150 answers.
SLOW_SECONDS = 0.25


@contextmanager
def own_file_system(bench: Bench, path: str) -> Iterator[Path]:
    """A folder of the virgin image as a small file system of its own, on a tmpfs.

    Args:
        bench: of the case.
        path: of the folder on the machine.
    """
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=755", PREFIX, place], check=True)
    image = bench.reference.virgin.image
    try:
        mounted = podman("image", "mount", image).strip()
        subprocess.run(["cp", "-a", f"{mounted}{path}/.", place], check=True)
        yield place
    finally:
        podman("image", "unmount", image)
        bench.close()
        subprocess.run(["umount", place], check=True)
        place.rmdir()


def full(bench: Bench, path: str, part: float, way: str) -> list[str]:
    """A file system that fills when a part of what a run adds to it is written.

    Args:
        bench: of the case.
        path: where the file system is mounted.
        part: of what an undisturbed run adds, that there is room for.
        way: what comes next.
    """
    added = bench.reference.added[path]
    with own_file_system(bench, path) as place:
        counted = os.statvfs(place)
        used = (counted.f_blocks - counted.f_bfree) * counted.f_frsize
        _resize(place, used + int(added * part))
        machine = bench.machine(mounts={path: f"{place}:{path}"})
        play, status = bench.play(machine, log="1-full")
        problems = said(play, "disk is full", "Remedy") if status else []
        if status is None:
            problems = ["it did not end by itself"]
        if way == "rollback":
            # While it is still full this may fail, but it may not say that all is well.
            early, status = bench.play(machine, ROLLBACK, log="2-rollback-full")
            left = bench.old(machine)
            if status == 0 and left:
                problems += ["the rollback on the full disk says that all is well", *left]
            elif status == 0:
                return problems
            elif "there is no snapshot" not in early.text():
                problems += said(early)
        _resize(place, 2 << 30)
        return [*problems, *bench.follow(way, machine)]


def _resize(place: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)


def read_only_etc(bench: Bench) -> list[str]:
    """A read-only /etc: refused with cause and remedy, and nothing else changed."""
    with own_file_system(bench, "/etc") as place:
        machine = bench.machine(mounts={"/etc": f"{place}:/etc:ro"})
        before = full_state(machine)
        play, status = bench.play(machine)
        problems = refused(play, status, "/etc", "Remedy")
        undone, ended = bench.play(machine, ROLLBACK, log="2-rollback")
        left = bench.old(machine, before)
        if ended != 0 and (left or "there is no snapshot" not in undone.text()):
            problems.append(f"the rollback ended with {ended}")
        return [*problems, *left]


def read_only_root(bench: Bench) -> list[str]:
    """A read-only /root, where Ansible wants its temporary files: refused, and the remedy works."""
    with own_file_system(bench, "/root") as place:
        machine = bench.machine(mounts={"/root": f"{place}:/root:ro"})
        play, status = bench.play(machine, log="1-refused")
        problems = refused(play, status, "/root", "Remedy", "ANSIBLE_REMOTE_TMP=/var/tmp/ansible-")
        # Before anything is changed, and not in the middle of a run.
        problems += bench.old(machine)
        remedy = {"ANSIBLE_REMOTE_TMP": "/var/tmp/ansible-root"}  # noqa: S108 - the machine's own
        play, status = bench.play(machine, log="2-remedy", environment=remedy)
        problems += [] if status == 0 else [f"the run with the remedy ended with {status}"]
        shell(machine, "rm -r /var/tmp/ansible-root")
        problems += not_new(machine, bench.reference.new)
        _, status = bench.play(machine, ROLLBACK, log="3-rollback", environment=remedy)
        problems += [] if status == 0 else [f"the rollback ended with {status}"]
        shell(machine, "rm -rf /var/tmp/ansible-root")
        return [*problems, *bench.old(machine)]


def unwritable_home(bench: Bench) -> list[str]:
    """A controller whose HOME cannot be written to: ./run has Ansible keep its files elsewhere."""
    return _through_run(bench, {"HOME": "/sys"})


def _with_clock(bench: Bench) -> Machine:
    """A machine whose clock is what /etc/faketimerc says, for every program on it."""
    library = Path("/") / FAKETIME
    machine = bench.machine(f"--volume={library}:{library}:ro")
    set_clock(machine, "+0")
    shell(machine, f"echo {library} > /etc/ld.so.preload")
    return machine


def set_clock(machine: Machine, shift: str) -> None:
    """Set the clock of a machine by so much, as faketime(1) has it."""
    shell(machine, f"echo '{shift}' > /etc/faketimerc")


def clock_wrong(bench: Bench, shift: str) -> list[str]:
    """A clock that is wrong during a run and right at the rollback."""
    machine = _with_clock(bench)
    before = full_state(machine)
    set_clock(machine, shift)
    _, status = bench.play(machine, log="1-wrong")
    set_clock(machine, "+0")
    problems = ["the run did not end by itself"] if status is None else []
    return [*problems, *bench.roll_back(machine, before)]


def clock_wrong_then_right(bench: Bench, shift: str) -> list[str]:
    """A clock that is wrong during the first run and right during a second one that changes."""
    machine = _with_clock(bench)
    before = full_state(machine)
    set_clock(machine, shift)
    bench.play(machine, log="1-wrong")
    set_clock(machine, "+0")
    other = {"environment_variables": {"RDNA1_FAULTS": "1"}}
    play, status = bench.play(machine, log="2-right", variables=other)
    problems = [] if status == 0 else said(play, "Remedy")
    return [*problems, *bench.roll_back(machine, before)]


def umask(bench: Bench, mask: int) -> list[str]:
    """A controller and a machine with a hard umask: what is installed serves ordinary users."""
    machine = bench.machine()
    _, status = bench.play(machine, umask=mask)
    problems = [] if status == 0 else [f"the run ended with {status}"]
    return [*problems, *bench.new(machine)]


def umask_of_a_machine(bench: Bench, mask: str) -> list[str]:
    """A machine whose shells have a umask of their own, as hardened ones do."""
    machine = bench.machine()
    shell(
        machine,
        "mv /bin/sh /bin/sh.real 2>/dev/null || true;"
        f"printf '#!/bin/bash\\numask {mask}\\nexec /bin/sh.real \"$@\"\\n' > /bin/sh.new;"
        "chmod 755 /bin/sh.new; mv /bin/sh.new /bin/sh",
    )
    _, status = bench.play(machine)
    problems = [] if status == 0 else [f"the run ended with {status}"]
    shell(machine, "mv /bin/sh.real /bin/sh")
    return [*problems, *bench.new(machine)]


def locale(bench: Bench, name: str) -> list[str]:
    """A session with a locale that is not UTF-8, or that was never generated, through ./run."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k != "LANG"}
    given: Mapping[str, str] = {
        **dict.fromkeys(os.environ.keys() - kept.keys(), ""),
        "LC_ALL": name,
    }
    return _through_run(bench, given)


def _through_run(bench: Bench, environment: Mapping[str, str]) -> list[str]:
    """A run by ./run provision in an environment: it ends well."""
    machine = bench.machine()
    play = Play(
        machine,
        PROVISION[1:],
        bench.folder / "1.log",
        environment=environment,
        prefix=(str(machine.checkout / "run"), "provision"),
    )
    status = play.wait()
    play.end()
    problems = [] if status == 0 else [f"./run provision ended with {status}"]
    return [*problems, *bench.new(machine)]


def network_cut(bench: Bench, phase: str, way: str) -> list[str]:
    """A network that is cut when a phase begins, and comes back later."""
    server = bench.reference.virgin.server
    machine = bench.machine()
    play = bench.start(machine, log="1-cut")
    wait_for_phase(play, "provision", phase)
    server.down = True
    try:
        status = play.wait()
    finally:
        server.down = False
    play.end()
    # What is left to do may need no network.
    problems = refused(play, status, "Remedy") if status != 0 else []
    return [*problems, *bench.follow(way, machine)]


def truncating(bench: Bench, path: str) -> list[str]:
    """A server that ends its answers in the middle, then a whole one."""
    server = bench.reference.virgin.server
    machine = bench.machine()
    server.truncated = path
    try:
        play, status = bench.play(machine, log="1-truncated")
    finally:
        server.truncated = None
    return [*refused(play, status, "Remedy"), *bench.follow("rerun", machine)]


def slow(bench: Bench) -> list[str]:
    """A slow server: the run takes longer and ends well."""
    server = bench.reference.virgin.server
    server.delay = SLOW_SECONDS
    try:
        return bench.follow("rerun", bench.machine())
    finally:
        server.delay = 0.0


def home_restored(bench: Bench) -> list[str]:
    """A home that is restored from a backup after the run: its files stay until it is named."""
    machine = bench.machine(image=bench.reference.provisioned)
    shutil.copytree(bench.reference.locks, bench.folder / "inventory" / "locks")
    shell(
        machine,
        f"cd /home; tar -cpf /tmp/backup.tar {USER}; mv {USER} lost; tar -xpf /tmp/backup.tar;"
        "rm -r lost /tmp/backup.tar",
    )
    play, status = bench.play(machine, ROLLBACK, log="1-rollback")
    variable = json.dumps({"rollback_restored_homes": [USER]})
    problems = refused(play, status, "restored from a backup", f"-e '{variable}'")
    play, status = bench.play(machine, [*ROLLBACK, f"--extra-vars={variable}"], log="2-rollback")
    problems += [] if status == 0 else [f"the rollback with the remedy ended with {status}"]
    return [*problems, *bench.old(machine)]


def unreachable_second_host(bench: Bench) -> list[str]:
    """An inventory with a second host that does not answer: the first one is provisioned."""
    machine = bench.machine()
    other = machine.folder / "inventory" / "nowhere.json"
    other.parent.mkdir()
    hosts = {f"{PREFIX}-nowhere": dict(machine.variables)}
    other.write_text(json.dumps({"all": {"hosts": hosts}}))
    play, status = bench.play(machine, [f"--inventory={other}", *PROVISION])
    problems = refused(play, status, "does not run")
    return [*problems, *bench.new(machine)]
