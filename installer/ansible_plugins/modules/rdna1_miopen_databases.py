#!/usr/bin/python
"""Move the databases that MIOpen keeps for users out of the way."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.host import accounts, miopen
from ansible.module_utils.rdna1.host.reader import Reader, UnreadableError
from ansible.module_utils.rdna1.snapshot.rights import rights_of
from ansible.module_utils.rdna1.snapshot.watch import BACKUP

DOCUMENTATION = r"""
module: rdna1_miopen_databases
short_description: Move MIOpen's databases of users out of the way
description:
  - MIOpen goes on with algorithms that it remembers, also where they are switched off now.
  - Renames the folders of the named users to C(NAME.rdna1-backup); MIOpen makes new ones. Works
    with the rights of each home's owner.
options:
  users:
    description: Users whose databases are moved.
    type: list
    elements: str
    required: true
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Let MIOpen choose again
  rdna1_miopen_databases:
    users: [ada]
"""

RETURN = r"""
moved:
  description: Old path to new path.
  returned: always
  type: dict
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={"users": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        moved = move(module)
    except UnreadableError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(moved), moved=moved)


def move(module: AnsibleModule) -> dict[str, str]:
    """Move the folders, or say which would be moved."""
    moved = {}
    for user in accounts.users(Reader()):
        if user.name not in module.params["users"]:
            continue
        for name in miopen.FOLDERS:
            path = Path(user.home, name)
            with rights_of(str(path)):
                if path.is_symlink() or not path.is_dir() or not any(path.iterdir()):
                    continue
                moved[str(path)] = free_name(str(path))
                if not module.check_mode:
                    path.rename(moved[str(path)])
    return moved


def free_name(path: str) -> str:
    """The first name of a backup that nothing has."""
    names = itertools.chain([path + BACKUP], (f"{path}{BACKUP}.{n}" for n in itertools.count(2)))
    return str(next(name for name in names if not os.path.lexists(name)))


if __name__ == "__main__":
    main()
