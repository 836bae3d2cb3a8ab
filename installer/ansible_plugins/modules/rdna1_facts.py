#!/usr/bin/python
"""Collect what rdna1 knows of a machine, on the machine."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.facts.collect import collect

DOCUMENTATION = r"""
module: rdna1_facts
short_description: Collect the host facts that the rdna1 preflight assesses
description:
  - Runs C(rdna1.target.facts) on the target. Changes nothing, needs no network.
options:
  root:
    description: Root folder of the system to look at. The module fails where it is none.
    type: path
    default: /
  users:
    description: Users whose groups and start files matter.
    type: list
    elements: str
    default: []
  packages:
    description:
      - Packages whose candidates apt is asked for, and of which is told whether they are installed.
    type: list
    elements: str
    default: []
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Look at the machine
  rdna1_facts:
    users: [ada]
"""

RETURN = r"""
ansible_facts:
  description: The fact C(rdna1), the same document that C(rdna1-preflight facts) prints.
  returned: always
  type: dict
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/"},
            "users": {"type": "list", "elements": "str", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    root = module.params["root"]
    try:
        os.scandir(root).close()
    except OSError as error:
        # Assessed, a folder that is not there would look like a machine without anything.
        module.fail_json(
            msg=f"root {root}: {error.strerror}. Remedy: name a folder on the target, as "
            "preflight_root where the role preflight asks"
        )
    facts = collect(
        root=root,
        users=module.params["users"],
        packages=module.params["packages"],
    )
    module.exit_json(changed=False, ansible_facts={"rdna1": facts})


if __name__ == "__main__":
    main()
