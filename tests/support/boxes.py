"""Boxes of the sandbox, and the project's playbooks against them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SANDBOX = ROOT / "sandbox" / "box"
# What holds for every box: no card, the distribution's PyTorch.
VARIABLES = {
    "ansible_become": False,
    "ansible_connection": "box",
    "ansible_python_interpreter": "/usr/bin/python3",
    "preflight_ignore": ["card", "kernel-driver", "kfd"],
    "rdna1_pytorch_source": "distro",
}


_ENVIRONMENT = {**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "100"}


@dataclass(frozen=True)
class Box:
    """A running box, and the project's playbooks against it."""

    name: str
    folder: Path

    @property
    def reports(self) -> Path:
        """Where the playbooks put the reports about this machine."""
        return self.folder / "reports" / self.name

    def run(self, *command: str) -> str:
        """Run a command in the box that has to succeed, return what it printed."""
        done = subprocess.run(
            ["podman", "exec", self.name, *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def play(self, *arguments: str, playbook: str = "site.yml") -> subprocess.CompletedProcess[str]:
        """Run a playbook against the box, with output that one can search."""
        return run_playbook(self._inventory(), playbook, arguments)

    def start(
        self, *arguments: str, playbook: str = "site.yml", output: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """Start a playbook against the box, to interrupt it or to act meanwhile."""
        return subprocess.Popen(
            _command(self._inventory(), playbook, arguments),
            cwd=ROOT,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _inventory(self) -> Path:
        inventory = self.folder / f"{self.name}.json"
        variables = {**VARIABLES, "rdna1_report_dir": str(self.reports.parent)}
        inventory.write_text(json.dumps({"all": {"hosts": {self.name: variables}}}))
        return inventory


def run_playbook(
    inventory: Path, playbook: str, arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the project, with output that one can search.

    Args:
        inventory: its file.
        playbook: its path in the project.
        arguments: further ones of ``ansible-playbook``.
    """
    return subprocess.run(
        _command(inventory, playbook, arguments),
        cwd=ROOT,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _command(inventory: Path, playbook: str, arguments: Sequence[str]) -> list[str]:
    return ["ansible-playbook", f"--inventory={inventory}", playbook, *arguments]


def start_box(name: str, folder: Path, options: Sequence[str]) -> Box:
    """Start a box from the current image, with further options of ``podman run``.

    Args:
        name: of the container.
        folder: for its inventory and reports.
        options: further options of ``podman run``.
    """
    run_container(name, sandbox_image(), options)
    return Box(name, folder)


def without_compiling(folder: Path) -> list[str]:
    """Return options of ``podman run`` for a box where a fake py3compile leaves Python as it came.

    Compiling python3-torch and what it needs is two fifths of a first run's processor time.
    tests/integration/box/provisioned and ``./run demo`` have Debian's own.

    Args:
        folder: for the fake.
    """
    fake = folder / "py3compile"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    return [f"--volume={fake}:/usr/bin/py3compile:ro"]


@cache
def sandbox_image() -> str:
    """Name of the current image of the sandbox, which is built if it has to be.

    Asked once a process: the recipe asks the host's apt, which takes a second.
    """
    done = subprocess.run([SANDBOX, "image"], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def run_container(
    name: str, image: str, options: Sequence[str], command: Sequence[str] = ("sleep", "infinity")
) -> None:
    """Run a container.

    Args:
        name: of the container.
        image: name of its image.
        options: further options of ``podman run``.
        command: that runs in it; by default one that does nothing.
    """
    subprocess.run(
        ["podman", "run", "--detach", "--name", name, *options, image, *command],
        env={**os.environ, "CONTAINERS_CONF": str(SANDBOX.with_name("containers.conf"))},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def remove_box(name: str) -> None:
    """Remove a box, whether it runs or not."""
    subprocess.run([SANDBOX, "remove", name], check=True)
