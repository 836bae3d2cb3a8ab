"""Choose a machine's Python and wheels, and read or make the lock file for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomllib
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rdna1.catalog.cards import card_list
from rdna1.catalog.stacks import Stack, load_stack
from rdna1.errors import InputError
from rdna1.mirror import MirrorError, check_mirror_lock, download_wheels
from rdna1.target.exclusive_lock import ExclusiveLockError, exclusive_lock, lock_file
from rdna1.target.printable import printable_lines
from rdna1.wheels import (
    ChoiceError,
    LockError,
    Wanted,
    choose_gfx_target,
    choose_python,
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
_PLATFORM = "x86_64-linux"


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
            stack = load_stack(arguments["stack"]).of_channel(arguments["channel"])
            python = choose_python(facts["pythons"] or [], stack.pytorch)
            gfx_target = _gfx_target(stack, facts, arguments["gfx_target"])
            wanted = Wanted(
                stack.wheels(gfx_target),
                _own_requirements(Path(arguments["project"]), stack),
                python.version,
                arguments["index_url"] or stack.pytorch.index_url,
                arguments["project_index_url"],
                stack.sources(gfx_target),
                arguments["allow_http"],
            )
            # Of a mirror no index is asked.
            if arguments["make"]:
                for url in (wanted.index_url, wanted.project_index_url):
                    refuse_insecure(url, http=arguments["allow_http"])
            kind = [stack.name, arguments["channel"], python.version, _PLATFORM, gfx_target]
            name = "-".join(filter(None, kind))
            path = Path(arguments["folder"]) / f"{name}.txt"
            text, made = self._lock(path, wanted, arguments)
            if not arguments["make"]:
                own = Path(arguments["own_folder"]) / path.name
                check_mirror_lock(text, arguments["mirror_files"], own)
            if arguments["download"]:
                files = locked_files(text, wanted, Path(arguments["uv"]))
                download_wheels(files, Path(arguments["download"]))
        except (ChoiceError, ExclusiveLockError, InputError, LockError, MirrorError) as error:
            raise AnsibleActionFail(printable_lines(str(error))) from error
        return {
            **result,
            "changed": made,
            "content": text,
            "path": str(path),
            "python": python.version,
            "python_path": python.path,
            # Ansible shows it; another index, whose address may hold a password, the caller knows.
            "index_url": stack.pytorch.index_url,
            "sources": [{"name": s.name, "environment": s.environment} for s in wanted.sources],
            "execstack": stack.glibc.to_clear(facts["glibc"]),
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


def _gfx_target(stack: Stack, facts: dict[str, Any], wanted: str) -> str:
    """Return the gfx target that the stack's wheels depend on; empty where they depend on none."""
    if not stack.pytorch.depends_on_gfx_target:
        return ""
    target = wanted or choose_gfx_target(facts["displays"] or [], card_list())
    if target not in stack.gfx_targets:
        raise ChoiceError(
            f"the stack {stack.name} has no wheels for {target!r}. "
            f"Remedy: set pytorch_gfx_target to one of {', '.join(stack.gfx_targets)}"
        )
    return target


def _own_requirements(project: Path, stack: Stack) -> list[str]:
    """Return what this project itself imports, and runs on the stack's libraries."""
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    requirements: list[str] = described["dependencies"]
    # Whatever the glibc: one lock serves all hosts.
    tools: list[str] = described["optional-dependencies"]["execstack"]
    return requirements + (tools if stack.glibc.execstack else [])
