"""A playbook that runs against a machine, to watch and to interrupt."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from faults import processes
from faults.machines import Machine

PROVISION = ("site.yml", "--skip-tags=validate")
ROLLBACK = ("playbooks/rollback.yml",)
# Nothing may wait for ever. A run may wait for a lock as long as rdna1_lock_timeout says, 600 s,
# and takes minutes on a machine that has other work.
LIMIT_SECONDS = 1200
MARK = "RDNA1_FAULTS_RUN"
_TASK = re.compile(r"^TASK \[(?:(?P<role>\w+) : )?(?P<name>.*?)\] \**$", re.MULTILINE)


class Play:
    """One run of ansible-playbook, in a session of its own.

    Everything that it starts here carries a mark of its own in the environment, by which what it
    left is found and ended.
    """

    def __init__(
        self,
        machine: Machine,
        playbook: Sequence[str],
        log: Path,
        *,
        variables: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = ("ansible-playbook",),
        umask: int = -1,
    ) -> None:
        """Start it.

        Args:
            machine: the play's one host.
            playbook: and further arguments.
            log: for all that it prints.
            variables: of the machine, next to its own.
            environment: variables of the process, next to this one's.
            prefix: the program and its first arguments.
            umask: of the process; this one's by default.
        """
        self.log = log
        self.mark = f"{log}:{os.getpid()}"
        log.parent.mkdir(parents=True, exist_ok=True)
        inventory = machine.inventory(**(variables or {}))
        # An earlier commit has its own Ansible, and plugins that import its own package.
        path = f"{machine.checkout}/.venv/bin:{os.environ['PATH']}"
        own = {
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_STDOUT_CALLBACK": "default",
            "COLUMNS": "100",
            "PATH": path,
            MARK: self.mark,
        }
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [*prefix, f"--inventory={inventory}", *playbook],
                cwd=machine.checkout,
                env={**os.environ, **own, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=umask,
            )
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.started

    @property
    def ended(self) -> bool:
        """Whether it ended."""
        return self.process.poll() is not None

    def wait(self, limit: float = LIMIT_SECONDS) -> int | None:
        """Wait for its end; gives its exit status, None where it was ended by the limit."""
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.end()
            return None

    def kill_controller(self) -> int:
        """Kill the process alone; what it started goes on."""
        return processes.kill([self.process.pid], lambda _: not self.ended)

    def kill_group(self) -> int:
        """Kill it with all that it started on the controller; on the machine all goes on."""
        return processes.kill(processes.descendants(self.process.pid))

    def end(self) -> int:
        """End whatever it left on the controller; gives how many processes that were."""
        self.kill_controller()
        self.process.wait()
        return processes.kill(processes.marked(f"{MARK}={self.mark}"))

    def text(self) -> str:
        """What it printed until now."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def task(self) -> tuple[str, str]:
        """Role and name of the task that it has come to."""
        tasks = list(_TASK.finditer(self.text()))
        return (tasks[-1]["role"] or "", tasks[-1]["name"]) if tasks else ("", "")

    def changed_nothing(self) -> bool:
        """Whether its recap says so."""
        recap = self.text().rpartition("PLAY RECAP")[2]
        return bool(re.search(r"\bchanged=0\b", recap))


def run(
    machine: Machine,
    playbook: Sequence[str],
    log: Path,
    *,
    variables: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    umask: int = -1,
) -> tuple[Play, int | None]:
    """Run a playbook to its end; gives it with its exit status, None where it had none in time."""
    play = Play(machine, playbook, log, variables=variables, environment=environment, umask=umask)
    status = play.wait()
    play.end()
    return play, status
