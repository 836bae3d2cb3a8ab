#!/usr/bin/python
"""Collect packages, what they need and the signed indexes of their archives into one file."""

from __future__ import annotations

import tarfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.apt_subset import RepoSubset, RepoSubsetError
from ansible.module_utils.rdna1.target.printable import printable, printable_lines

DOCUMENTATION = r"""
module: rdna1_apt_subset
short_description: Collect packages with the signed indexes of their archives
description:
  - Has apt resolve, fetch and verify packages in a folder of its own, and packs them, the indexes
    as their archives signed them, and the keys into C(tree.tar) there.
  - The machine's own lists, packages and cache are left as they are.
options:
  folder:
    description:
      - Where to work. Its folders C(sources) and C(preferences) stand for those of C(/etc/apt).
    type: path
    required: true
  packages:
    description: What to collect.
    type: list
    elements: str
    required: true
  complete:
    description: Collect what the machine already has as well.
    type: bool
    default: true
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Collect packages
  rdna1_apt_subset:
    folder: /var/cache/rdna1/excerpt
    packages: [rocminfo]
"""

RETURN = r"""
archives:
  description: The suites that were collected, with C(folder), C(suite), C(components), C(key).
  returned: success
  type: list
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "packages": {"type": "list", "elements": "str", "required": True},
            "complete": {"type": "bool", "default": True},
        }
    )
    folder = Path(module.params["folder"])
    packed = folder / "tree.tar"
    try:
        subset = RepoSubset(folder, complete=module.params["complete"])
        archives = subset.collect(module.params["packages"])
        with tarfile.open(packed, "w") as file:
            file.add(str(folder / "tree"), ".")
        # Fetched by a login that need not be root's; nothing in it is secret.
        packed.chmod(0o644)
    except RepoSubsetError as error:
        module.fail_json(msg=printable_lines(str(error)))
    except OSError as error:
        module.fail_json(msg=printable(f"{error.filename}: {error.strerror}"))
    module.exit_json(changed=True, archives=archives, path=str(packed))


if __name__ == "__main__":
    main()
