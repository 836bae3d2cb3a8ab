#!/usr/bin/python
"""Write down what a machine looked like before its first change."""

from __future__ import annotations

import base64
import datetime
import grp
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: rdna1_snapshot
short_description: Write down packages, files and groups before the first change
description:
  - Writes the installed packages, the named files with their contents, and the groups of the named
    users to a JSON file.
  - An existing snapshot is kept, because it holds the state to go back to.
options:
  path:
    description: The snapshot.
    type: path
    required: true
  files:
    description: Files that are going to be written; one that does not exist is recorded as such.
    type: list
    elements: path
    required: true
  users:
    description: Users whose groups are going to change.
    type: list
    elements: str
    default: []
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Write down the state to go back to
  rdna1_snapshot:
    path: /var/lib/rdna1/snapshots/first.json
    files: [/etc/profile.d/rocm-rdna1-57.sh]
"""

RETURN = r"""
path:
  description: The snapshot.
  returned: always
  type: path
"""

SCHEMA_VERSION = 1


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "files": {"type": "list", "elements": "path", "required": True},
            "users": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    path = Path(module.params["path"])
    if os.geteuid() != 0:
        module.fail_json(
            msg="only root can change this machine, and the play runs as another user. "
            "Remedy: run as root, or with sudo (ansible-playbook --ask-become-pass)"
        )
    if path.exists():
        module.exit_json(changed=False, path=str(path))
    if not module.check_mode:
        write(path, snapshot(module))
    module.exit_json(changed=True, path=str(path))


def snapshot(module: AnsibleModule) -> dict[str, Any]:
    """The state of the machine: packages, files, groups."""
    return {
        "schema_version": SCHEMA_VERSION,
        "taken": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "packages": installed_packages(module),
        "files": {path: file_state(Path(path)) for path in module.params["files"]},
        "groups": sorted(g.gr_name for g in grp.getgrall()),
        "groups_of_users": {
            user: sorted(g.gr_name for g in grp.getgrall() if user in g.gr_mem)
            for user in module.params["users"]
        },
    }


def installed_packages(module: AnsibleModule) -> dict[str, str]:
    """Name with architecture to version of every installed package."""
    _, output, _ = module.run_command(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${binary:Package} ${Version}\n"],
        check_rc=True,
    )
    entries = (line.split() for line in output.splitlines())
    return {name: version for status, name, version in entries if status == "installed"}


def file_state(path: Path) -> dict[str, Any] | None:
    """Link target, or content and mode, of a file; None when there is none."""
    if path.is_symlink():
        return {"link": os.readlink(path)}
    if not path.exists():
        return None
    details = path.stat()
    return {
        "content": base64.b64encode(path.read_bytes()).decode(),
        "mode": f"{details.st_mode & 0o7777:04o}",
        "uid": details.st_uid,
        "gid": details.st_gid,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the snapshot whole or not at all, readable by root only: files may hold secrets."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=str(path.parent))
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=2, sort_keys=True)
        file.write("\n")
    Path(draft).replace(path)


if __name__ == "__main__":
    main()
