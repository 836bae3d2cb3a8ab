#!/usr/bin/python
"""Build the Python environment of a stack on the machine, and switch to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.environments import BuildError, Spec, ensure

DOCUMENTATION = r"""
module: rdna1_environment
short_description: Build a stack's environment with uv and switch to it
description:
  - Builds PREFIX/environments/STACK-IDENTITY and lets the link PREFIX/STACK name it. One that is
    there, whole and unaltered is left alone.
  - A build that fails leaves the environment in use that was there before.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  prefix:
    description: Folder for the link, the environments, the Pythons and uv's cache.
    type: path
    required: true
  uv:
    description: uv on the machine.
    type: path
    required: true
  wheel:
    description: This project's wheel on the machine; it and uv need to be there for a build only.
    type: path
    required: true
  wheel_digest:
    description: SHA-256 of this project's wheel.
    type: str
    required: true
  python:
    description: Version of Python, as in C(3.12).
    type: str
    required: true
  python_path:
    description: An interpreter of the system; empty for one that uv manages.
    type: str
    default: ""
  python_mirror:
    description: Where uv takes its Pythons from; empty for its own choice.
    type: str
    default: ""
  lock:
    description: Wheels with their hashes; empty to use the system's packages.
    type: str
    default: ""
  index_url:
    description: Index of the stack's wheels.
    type: str
    default: ""
  project_index_url:
    description: Index of what this project itself imports; empty for PyPI.
    type: str
    default: ""
  find_links:
    description: Folder on the machine with all wheels, in place of the indexes.
    type: str
    default: ""
  python_cache:
    description: Folder on the machine with the archives of uv's Pythons; uv knows their hashes.
    type: str
    default: ""
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Build the environment
  rdna1_environment:
    stack: rocm-5.7
    prefix: /opt/rdna1
    uv: /opt/rdna1/bin/uv
    wheel: /opt/rdna1/wheels/rdna1-0.1.0-py3-none-any.whl
    wheel_digest: "{{ '.cache/wheels/rdna1-0.1.0-py3-none-any.whl' | rdna1_sha256 }}"
    python: "3.12"
    lock: "{{ lookup('ansible.builtin.file', 'locks/rocm-5.7-3.12-x86_64-linux.txt') }}"
    index_url: https://download.pytorch.org/whl/rocm5.7
"""

RETURN = r"""
fits:
  description: Whether the environment was as it should be.
  returned: success
  type: bool
ansible_facts:
  description: The fact C(rdna1_environment) with C(python) and C(packages).
  returned: success
  type: dict
removed:
  description: Old environments that were removed.
  returned: success
  type: list
"""


_DEED = {False: "built", True: "to be built"}


def main() -> None:
    """Entry point of the module."""
    text = {"type": "str", "default": ""}
    path = {"type": "path", "required": True}
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "prefix": path,
            "uv": path,
            "wheel": path,
            "wheel_digest": {"type": "str", "required": True},
            "python": {"type": "str", "required": True},
            "python_path": text,
            "python_mirror": text,
            "lock": text,
            "index_url": text,
            "project_index_url": text,
            "find_links": text,
            "python_cache": text,
        },
        supports_check_mode=True,
    )
    paths = {name: Path(module.params[name]) for name in ("prefix", "uv", "wheel")}
    spec = Spec(**{**module.params, **paths})
    try:
        done = ensure(spec, check_only=module.check_mode)
    except BuildError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    facts: dict[str, Any] = {"python": done.python, "packages": done.packages}
    module.exit_json(
        changed=done.changed,
        # Also where a task that only looks does not count as a change.
        fits=not done.changed,
        msg=f"{_DEED[module.check_mode]}: {done.reason}" if done.changed else "as it should be",
        diff={"before": f"{done.before}\n", "after": f"{done.after}\n"},
        removed=done.removed,
        ansible_facts={"rdna1_environment": facts},
    )


if __name__ == "__main__":
    main()
