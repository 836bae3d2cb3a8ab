#!/usr/bin/python
"""Move the databases that MIOpen keeps for users out of the way."""

from __future__ import annotations

import itertools
import os
import stat
from typing import Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.drafts import first_free
from ansible.module_utils.rdna1.target.facts import accounts, miopen
from ansible.module_utils.rdna1.target.homes import Place, Tree
from ansible.module_utils.rdna1.target.printable import printable, printable_lines
from ansible.module_utils.rdna1.target.rootfs import RootFs, UnreadableError
from ansible.module_utils.rdna1.target.snapshot.watch import BACKUP

DOCUMENTATION = r"""
module: rdna1_miopen_databases
short_description: Move MIOpen's databases of users out of the way
description:
  - MIOpen goes on with algorithms that it remembers, also where they are switched off now.
  - Renames the folders of the named users to C(NAME.rdna1-backup); MIOpen makes new ones. Works
    with the rights of each home's owner, and follows no link.
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
left:
  description: Folders that stay where they are, with the reasons.
  returned: always
  type: list
  elements: str
"""

# A folder with more names is one of MIOpen's no more.
MOST = 100_000


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={"users": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        moved, left = move(module)
    except UnreadableError as error:
        module.fail_json(msg=printable_lines(str(error)))
    except OSError as error:
        module.fail_json(msg=printable(f"{error.filename}: {error.strerror}"))
    for reason in left:
        module.warn(printable(f"MIOpen's database was not moved: {reason}"))
    module.exit_json(changed=bool(moved), moved=moved, left=left)


def move(module: AnsibleModule) -> tuple[dict[str, str], list[str]]:
    """Move the folders, or say which would be moved, and which stay for what reason."""
    moved: dict[str, str] = {}
    left: list[str] = []
    tree = Tree()
    for user in accounts.users(RootFs()):
        for name in miopen.FOLDERS if user.name in module.params["users"] else ():
            path = f"{user.home}/{name}"
            try:
                with tree.folder(path) as place:
                    new = moved_aside(place, user.uid, dry_run=bool(module.check_mode))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except PermissionError as error:
                left.append(f"{path}: {error.strerror}")
                continue
            if new is not None:
                moved[path] = f"{path.rpartition('/')[0]}/{new}"
    return moved, left


def moved_aside(place: Place, uid: int, *, dry_run: bool) -> str | None:
    """Rename a folder of the user's that holds something; returns its new name."""
    with place.look() as found:
        is_folder = stat.S_ISDIR(found.status.st_mode) and found.status.st_uid == uid
        if not is_folder or not found.names(MOST):
            return None
    with place.rights():
        name = str(first_free(place, backup_names(place.name)))
        if not dry_run:
            os.rename(place.name, name, src_dir_fd=place.descriptor, dst_dir_fd=place.descriptor)
    return name


def backup_names(name: str) -> Iterator[str]:
    """Yield names of backups, the first ones first."""
    yield name + BACKUP
    yield from (f"{name}{BACKUP}.{number}" for number in itertools.count(2))


if __name__ == "__main__":
    main()
