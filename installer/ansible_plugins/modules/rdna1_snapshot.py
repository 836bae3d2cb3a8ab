#!/usr/bin/python
"""Write down what a machine is before and after a run."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.layout import HOME, SYSTEM
from ansible.module_utils.rdna1.target.facts.dpkg import is_relevant
from ansible.module_utils.rdna1.target.facts.system import reboot_required
from ansible.module_utils.rdna1.target.printable import printable, printable_lines
from ansible.module_utils.rdna1.target.rights import ONLY_ROOT
from ansible.module_utils.rdna1.target.rootfs import RootFs, UnreadableError
from ansible.module_utils.rdna1.target.snapshot.records import RunError
from ansible.module_utils.rdna1.target.snapshot.runs import (
    Run,
    begin,
    check_home,
    finish,
    list_runs,
)
from ansible.module_utils.rdna1.target.snapshot.state import State, read_state
from ansible.module_utils.rdna1.target.venvs.ownership import foreign

DOCUMENTATION = r"""
module: rdna1_snapshot
short_description: Write down packages, files and groups before and after a run
description:
  - Before a run, writes packages with versions and marks, groups, and the files that may be written
    with their contents, as C(before.json) and C(before.md) in a folder of the run.
  - After it, writes C(after.json), which tells what the run did from what the owner did. A later
    run that changed nothing leaves no folder.
  - Refuses what is in the place of the stack's environment and not of this project, before anything
    is changed.
  - The record of an interrupted run is kept, and the next run goes on with it.
options:
  path:
    description: Folder of the records.
    type: path
    required: true
  moment:
    description: Which end of the run this is.
    type: str
    choices: [before, after]
    required: true
  stack:
    description: Stack of the run, for the name of its folder.
    type: str
    required: true
  users:
    description: Users whose groups and files are going to change.
    type: list
    elements: str
    default: []
  home:
    description:
      - Home of the user who runs without root; nothing else is looked at. Empty for the machine.
    type: path
    default: ""
  facts:
    description: The fact C(rdna1), which the record before a run shows to users.
    type: dict
    default: {}
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Write down the state to go back to
  rdna1_snapshot:
    path: /var/lib/rdna1/snapshots
    moment: before
    stack: rocm-5.7
    facts: "{{ ansible_facts['rdna1'] }}"
"""

RETURN = r"""
ansible_facts:
  description:
    - The facts C(rdna1_installed), name to version of the installed packages of ROCm and PyTorch,
      and C(rdna1_reboot_required), whether a package asks for a reboot; after a run of the machine.
  returned: after a run, not in check mode
  type: dict
names:
  description: Names of all records, the oldest first.
  returned: always
  type: list
  elements: str
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "moment": {"type": "str", "choices": ["before", "after"], "required": True},
            "stack": {"type": "str", "required": True},
            "users": {"type": "list", "elements": "str", "default": []},
            "home": {"type": "path", "default": ""},
            "facts": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0 and not module.params["home"]:
        module.fail_json(msg=ONLY_ROOT.format("playbooks/user.yml"))
    folder = Path(module.params["path"])
    after: State | None = None
    try:
        check_home(module.params["home"])
        if module.params["moment"] == "before":
            changed = write_before(module, folder)
        else:
            changed, after = write_after(module, folder)
        names = [run.name for run in list_runs(folder)]
    except (RunError, UnreadableError) as error:
        module.fail_json(msg=printable_lines(str(error)))
    except OSError as error:
        module.fail_json(msg=printable(f"{error.filename}: {error.strerror}"))
    module.exit_json(changed=changed, names=names, ansible_facts=facts(after) if after else {})


def write_after(module: AnsibleModule, folder: Path) -> tuple[bool, State | None]:
    """Write down the state after a run; returns whether the run changed anything, and the state."""
    if module.check_mode:
        return False, None
    earlier = list_runs(folder)[-1:]
    users = {*module.params["users"], *(user for run in earlier for user in run.users)}
    before = [run.before for run in earlier]
    after = read_state(tuple(users), contents=False, earlier=before, home=module.params["home"])
    return bool(finish(folder, after)), None if module.params["home"] else after


def facts(after: State) -> dict[str, object]:
    """Return what the report of the run tells of the machine."""
    packages = {n: str(p["version"]) for n, p in after.packages.items() if is_relevant(n)}
    return {"rdna1_installed": packages, "rdna1_reboot_required": reboot_required(RootFs())}


def write_before(module: AnsibleModule, folder: Path) -> bool:
    """Write down the state before a run; returns whether this is a change worth telling.

    The record of a later run counts as a change only after the run, when it is known
    whether the run changed anything.
    """
    stack = str(module.params["stack"])
    home = str(module.params["home"])
    prefix = Path(HOME.below(home).environments if home else SYSTEM.environments)
    obstacle = foreign(prefix, stack)
    if obstacle:
        module.fail_json(msg=obstacle)
    users = [str(user) for user in module.params["users"]]
    earlier = list_runs(folder)
    if module.check_mode:
        return not earlier
    now = datetime.datetime.now(datetime.timezone.utc)
    state = read_state(tuple(users), contents=True, home=home)
    name = f"{now:%Y%m%dT%H%M%SZ}-{module.params['stack']}"
    taken = now.isoformat(timespec="seconds")
    begin(folder, Run(name, users, state, None), taken, module.params["facts"])
    return not earlier


if __name__ == "__main__":
    main()
