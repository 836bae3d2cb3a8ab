"""Choose a machine's Python and wheels, and read or make the lock file for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rdna1.errors import InputError
from rdna1.mirror import MirrorError, check_mirror_lock, download_wheels
from rdna1.plan.options import Options, Request
from rdna1.plan.wheels import wheels_plan
from rdna1.preflight import load_facts
from rdna1.target.exclusive_lock import ExclusiveLockError, exclusive_lock, lock_file
from rdna1.target.printable import printable_lines
from rdna1.wheels import (
    LockError,
    Wanted,
    locked_files,
    make_lock,
    read_lock,
    refuse_insecure,
    write_lock,
)

ARGUMENTS = {
    "stack": {"type": "str", "required": True},
    # Of the stack's wheels; empty for its own choice.
    "channel": {"type": "str", "default": ""},
    "folder": {"type": "str", "required": True},
    "renew": {"type": "bool", "default": False},
    "gfx_target": {"type": "str", "default": ""},
    "index_url": {"type": "str", "default": ""},
    "project_index_url": {"type": "str", "default": ""},
    "allow_http": {"type": "bool", "default": False},
    "project": {"type": "str", "required": True},
    "uv": {"type": "str", "required": True},
    # False where there is no index to make it from.
    "make": {"type": "bool", "default": True},
    # Of a mirror, the files that its manifest names, and the folder of the owner's own locks.
    "mirror_files": {"type": "list", "elements": "dict", "default": []},
    "own_folder": {"type": "str", "default": ""},
    # Where to put the wheels of the lock; empty to leave them where they are.
    "download": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Runs on the controller alone; the machine is known by its facts."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        validated = self.validate_argument_spec(ARGUMENTS)  # type: ignore[no-untyped-call]
        arguments: dict[str, Any] = validated[1]
        facts = variables["ansible_facts"]["rdna1"]
        try:
            wheels = wheels_plan(_request(arguments, facts), Path(arguments["project"]))
            wanted = wheels.wanted
            # Of a mirror no index is asked.
            if arguments["make"]:
                for url in (wanted.index_url, wanted.project_index_url):
                    refuse_insecure(url, http=arguments["allow_http"])
            path = Path(arguments["folder"]) / wheels.lock_name
            text, made = self._lock(path, wanted, arguments)
            if not arguments["make"]:
                own = Path(arguments["own_folder"]) / path.name
                check_mirror_lock(text, arguments["mirror_files"], own)
            if arguments["download"]:
                files = locked_files(text, wanted, Path(arguments["uv"]))
                download_wheels(files, Path(arguments["download"]))
        except (ExclusiveLockError, InputError, LockError, MirrorError) as error:
            raise AnsibleActionFail(printable_lines(str(error))) from error
        return {
            **result,
            "changed": made,
            "content": text,
            "path": str(path),
            "python": wanted.python,
            "python_path": wheels.python_path,
            # Ansible shows it; another index, whose address may hold a password, the caller knows.
            "index_url": wheels.index_url,
            "sources": [{"name": s.name, "environment": s.environment} for s in wanted.sources],
            "execstack": wheels.execstack,
            "msg": f"{path}: {'made' if made else 'fits'}",
        }

    def _lock(self, path: Path, wanted: Wanted, arguments: dict[str, Any]) -> tuple[str, bool]:
        """Return the content of the lock, and whether it was (in check mode: would be) made.

        Hosts of one fleet need the same lock at the same time: the first one makes it.
        """
        with exclusive_lock(lock_file(path)):
            if not arguments["make"] and not path.exists():
                raise LockError(
                    f"the mirror has no lock file {path.name}: it was collected for another Python "
                    "or card. Remedy: collect one on a machine like this one, with "
                    "playbooks/mirror.yml"
                )
            if path.exists() and not (arguments["renew"] and arguments["make"]):
                return read_lock(path, wanted), False
            if self._task.check_mode:
                return "", True
            text = make_lock(wanted, Path(arguments["uv"]))
            if path.exists() and path.read_text() == text:
                return text, False
            write_lock(path, text)
            return text, True


def _request(arguments: Mapping[str, Any], facts: Mapping[str, Any]) -> Request:
    """Return the request to the plan, whose options have the role's name in front."""
    of_role = ("channel", "gfx_target", "index_url", "project_index_url", "allow_http")
    options = {f"pytorch_{name}": arguments[name] for name in of_role}
    return Request(
        msgspec.convert({"stack": arguments["stack"], **options}, Options), load_facts(facts)
    )
