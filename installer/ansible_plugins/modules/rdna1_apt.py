#!/usr/bin/python
"""Get ready for apt: wait until nobody uses it, and write down what it is about to do."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.apt_fetch import bytes_to_fetch
from ansible.module_utils.rdna1.target.dpkg_locks import LockedError, wait_until_free
from ansible.module_utils.rdna1.target.printable import printable, printable_lines
from ansible.module_utils.rdna1.target.rootfs import RootFs, UnreadableError
from ansible.module_utils.rdna1.target.snapshot import removing
from ansible.module_utils.rdna1.target.snapshot.intended import intend, simulate
from ansible.module_utils.rdna1.target.snapshot.records import SYSTEM_FOLDER, RunError

DOCUMENTATION = r"""
module: rdna1_apt
short_description: Run ansible.builtin.apt once nobody else uses dpkg or apt
description:
  - C(ansible.builtin.apt) waits for one of dpkg's locks. This waits for all of them, of dpkg and of
    apt, by the locks themselves, and says who holds one. Then it runs C(ansible.builtin.apt) with
    the same options.
  - What apt is about to install, replace and remove is written into the record of the run before,
    so that a rollback knows the packages of a run that was killed meanwhile.
  - Lists of packages whose time is in the future, as a clock leaves them that was wrong, count as
    old.
options:
  lock_timeout:
    description: How many seconds to wait for another program that uses dpkg or apt.
    type: int
    default: 600
  simulate:
    description: Used by the action plugin - what to ask apt-get before, without the packages.
    type: list
    elements: str
    default: []
  name:
    description: Packages, as of C(ansible.builtin.apt), whose other options are passed to it.
    type: list
    elements: str
    default: []
  wait:
    description:
      - How many seconds one call waits; the action plugin calls again until C(lock_timeout), and
        says meanwhile who holds the lock.
    type: int
    default: 3
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Install a package
  rdna1_apt:
    name: rocminfo
    install_recommends: false
"""

RETURN = r"""
holder:
  description: Who holds a lock that was waited for; empty when it was free.
  returned: failure
  type: str
packages:
  description: How many packages are installed or get another version.
  returned: with packages to install
  type: int
bytes:
  description: How much is fetched for them.
  returned: with packages to install
  type: int
"""

# What ansible.builtin.apt takes for the time of the lists.
_LISTS = ("/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists")
# Clocks of file servers and kernels differ a little.
_FUTURE_SECONDS = 60


def main() -> None:
    """Entry point of the module."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "lock_timeout": {"type": "int", "default": 600},
            "simulate": names,
            "name": names,
            "wait": {"type": "int", "default": 3},
        }
    )
    try:
        module.exit_json(changed=False, **ready(module))
    except LockedError as error:
        module.exit_json(changed=False, holder=printable(str(error)))
    except (RunError, UnreadableError) as error:
        module.fail_json(msg=printable_lines(str(error)))
    except OSError as error:
        module.fail_json(msg=printable(f"{error.filename}: {error.strerror}"))


def ready(module: AnsibleModule) -> dict[str, Any]:
    """Wait, and write down.

    Raises:
        LockedError: another program uses dpkg or apt.
        RunError: a record cannot be read.
        UnreadableError: dpkg's or apt's file cannot be read.
        OSError: a lock or the record cannot be opened.
    """
    wait_until_free(module.params["wait"])
    told: dict[str, int] = {}
    if module.params["simulate"]:
        run: Callable[[list[str]], tuple[int, str, str]] = module.run_command
        intended = simulate(run, module.params["simulate"], module.params["name"])
        intend(Path(SYSTEM_FOLDER), intended)
        if intended.install or intended.upgrade:
            told = {
                "packages": len(intended.install) + len(intended.upgrade),
                "bytes": bytes_to_fetch(run, module.params["simulate"], module.params["name"]),
            }
            # What a removal before it left is taken back; marks are this one's now.
            removing.forget(Path(SYSTEM_FOLDER))
        else:
            removing.write_down(Path(SYSTEM_FOLDER), intended.remove, RootFs())
    return {"holder": "", **told, "lists_from_the_future": any(map(_is_from_the_future, _LISTS))}


def _is_from_the_future(path: str) -> bool:
    return Path(path).exists() and os.path.getmtime(path) > time.time() + _FUTURE_SECONDS  # noqa: PTH204 - one call


if __name__ == "__main__":
    main()
