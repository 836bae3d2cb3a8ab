"""Runs Ansible's tasks in a box of the sandbox, through the container's own runtime.

The podman connection of the collection containers.podman cannot pipeline and calls podman four
times a task; on a box, where a task otherwise costs what it costs over SSH, that would be most of
a run. This one pipelines and asks runc, which podman itself asks, and needs no collection.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from ansible import constants as C  # noqa: N812 - the name that Ansible itself uses
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

DOCUMENTATION = """
name: box
short_description: Run tasks in a box of the sandbox
description:
  - Runs commands with C(runc exec) in a running, root-owned podman container, and copies files
    through its mounted file system.
author: [rdna1 contributors]
extends_documentation_fragment: [connection_pipelining]
options:
  remote_addr:
    description: Name of the container.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
  remote_user:
    description: User in the container; empty for root.
    vars:
      - name: ansible_user
"""


class User(NamedTuple):
    """What passwd(5) says about a user of the container."""

    uid: int
    gid: int
    home: str


class Connection(ConnectionBase):
    """One container."""

    transport = "box"
    has_pipelining = True
    _container = ""
    _root = Path()
    _user: User | None = None

    def _connect(self) -> Connection:
        """Find the container.

        Raises:
            AnsibleConnectionFailure: it does not run, or has no such user.
        """
        if self._connected:
            return self
        self._container, root = self._asked_once()
        self._root = Path(root)
        login = self._option("remote_user")
        self._user = self._find_user(login) if login else None
        self._connected = True
        return self

    def _asked_once(self) -> tuple[str, str]:
        """Return id and root folder of the container, for which podman is asked once a run.

        Each task is a process with a connection of its own; the folder is Ansible's for this run.
        """
        name = self._option("remote_addr")
        known = Path(C.DEFAULT_LOCAL_TMP, f"box-{name}.json")  # type: ignore[attr-defined]
        if known.exists():
            container, root, process = json.loads(known.read_text(encoding="utf-8"))
            if Path("/proc", str(process)).exists():
                return container, root
        asked = ["podman", "container", "inspect", name]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
        state = json.loads(found.stdout)[0] if found.returncode == 0 else {}
        if not state.get("State", {}).get("Running"):
            raise AnsibleConnectionFailure(
                f"the box {name} does not run. Remedy: sandbox/box create {name}"
            )
        container, root = state["Id"], state["GraphDriver"]["Data"]["MergedDir"]
        draft = known.with_name(f"{known.name}.{os.getpid()}")
        draft.write_text(json.dumps([container, root, state["State"]["Pid"]]), encoding="utf-8")
        draft.replace(known)
        return container, root

    def _find_user(self, login: str) -> User:
        for line in (self._root / "etc/passwd").read_text(encoding="utf-8").splitlines():
            fields = line.split(":")
            if fields[0] == login:
                return User(int(fields[2]), int(fields[3]), fields[5])
        raise AnsibleConnectionFailure(f"the box has no user {login}")

    def exec_command(
        self,
        cmd: str,
        in_data: bytes | None = None,
        sudoable: bool = True,  # noqa: ARG002
    ) -> tuple[int, bytes, bytes]:
        """Run a command with the shell of the container."""
        self._connect()
        options = []
        if self._user:
            options = [f"--user={self._user.uid}:{self._user.gid}", f"--env=HOME={self._user.home}"]
        command = ["runc", "exec", *options, self._container, "/bin/sh", "-c", cmd]
        Display().vvv(f"RUN {command}", host=self._option("remote_addr"))
        done = subprocess.run(command, input=in_data or b"", capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the container."""
        self._connect()
        target = self._inside(out_path)
        shutil.copyfile(in_path, target)
        if self._user:
            shutil.chown(target, self._user.uid, self._user.gid)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the container."""
        self._connect()
        shutil.copyfile(self._inside(in_path), out_path)

    def close(self) -> None:
        """Forget the container; nothing is kept open between commands."""
        self._connected = False

    def _option(self, name: str) -> str:
        return str(self.get_option(name) or "")  # type: ignore[no-untyped-call]

    def _inside(self, path: str) -> Path:
        return self._root / path.lstrip("/")
