#!/usr/bin/python
"""Finish what an interrupted dpkg left, once nobody else uses dpkg."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any, Callable, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.credentials import text_without_credentials
from ansible.module_utils.rdna1.target.dpkg_locks import (
    FRONTEND_LOCKED,
    LockedError,
    dpkg_locked,
    first_holder,
    wait_until_free,
)
from ansible.module_utils.rdna1.target.facts.dpkg import JOURNAL, Status
from ansible.module_utils.rdna1.target.facts.dpkg_unfinished import Unfinished, unfinished
from ansible.module_utils.rdna1.target.printable import printable, printable_lines
from ansible.module_utils.rdna1.target.rights import ONLY_ROOT
from ansible.module_utils.rdna1.target.rootfs import RootFs, UnreadableError
from ansible.module_utils.rdna1.target.snapshot import removing
from ansible.module_utils.rdna1.target.snapshot.intended import intend, simulate
from ansible.module_utils.rdna1.target.snapshot.records import SYSTEM_FOLDER, RunError

DOCUMENTATION = r"""
module: rdna1_dpkg
short_description: Finish what an interrupted dpkg left
description:
  - Reads dpkg's status file and its journal, and lets dpkg configure what is unfinished.
  - Waits for the locks of dpkg and apt themselves, whatever these programs print, and names who
    holds one. It holds the lock of dpkg's frontends while dpkg works.
  - Changes nothing where dpkg is done with all packages.
options:
  lock_timeout:
    description: How many seconds to wait for another program that uses dpkg or apt.
    type: int
    default: 600
  repair:
    description:
      - Whether to have apt add what unfinished packages depend on and is missing. It is written
        into the record of the run before apt starts. The module fails where something stays
        unfinished.
    type: bool
    default: false
  discard:
    description:
      - Packages that dpkg wants unpacked again before anything else, so that apt stops at them.
        Those of them that still are so are unpacked again from apt's cache, since dpkg knows the
        files of a package only when it was unpacked to the end; dpkg removes those for which the
        cache has no archive.
    type: list
    elements: str
    default: []
  purge:
    description: Whether their configuration is removed as well.
    type: bool
    default: false
  auto:
    description: Packages to mark as automatically installed.
    type: list
    elements: str
    default: []
  manual:
    description: Packages to mark as wanted by hand.
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
- name: Finish what an interrupted installation left
  rdna1_dpkg:
    repair: true
"""

RETURN = r"""
unfinished:
  description: What was unfinished, with the remedy of each package.
  returned: always
  type: list
  elements: str
left:
  description: What still is.
  returned: always
  type: list
  elements: str
drafts:
  description:
    - Files that dpkg was unpacking and did not come to rename, where it had to remove a package by
      force. dpkg knows them no more.
  returned: success
  type: list
  elements: str
holder:
  description: Who holds a lock that was waited for; empty when it was free.
  returned: always
  type: str
"""

_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
# Where a package asks about a file that was changed, the machine's own stays.
_DPKG = ["dpkg", "--force-confdef", "--force-confold"]
# Where packages have files.
_PACKAGED = ("/etc", "/opt", "/usr", "/var")
_ARCHIVES = "/var/cache/apt/archives"
# What dpkg writes an entry of its journal into; one that was killed leaves it, the next removes it.
_DRAFT = Path(JOURNAL) / "tmp.i"
_REPAIR = ["--fix-broken", "--no-install-recommends", "install"]


def main() -> None:
    """Entry point of the module."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "lock_timeout": {"type": "int", "default": 600},
            "repair": {"type": "bool", "default": False},
            "discard": names,
            "purge": {"type": "bool", "default": False},
            "auto": names,
            "manual": names,
            "wait": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0:
        module.fail_json(msg=ONLY_ROOT.format("playbooks/user.yml"))
    try:
        module.exit_json(**finish(module))
    except LockedError as error:
        module.exit_json(changed=False, holder=printable(str(error)), unfinished=[], left=[])
    except (RunError, UnreadableError) as error:
        module.fail_json(msg=printable_lines(str(error)))
    except OSError as error:
        module.fail_json(msg=printable(f"{error.filename}: {error.strerror}"))


def finish(module: AnsibleModule) -> dict[str, Any]:
    """Do what was asked for and is needed.

    Raises:
        LockedError: another program uses dpkg.
        UnreadableError: dpkg's files cannot be read.
        OSError: a lock cannot be opened.
    """
    if not module.check_mode:
        # What another program does meanwhile is not unfinished.
        wait_until_free(module.params["wait"])
    found = state()
    marks = [(mark, module.params[mark]) for mark in ("auto", "manual") if module.params[mark]]
    leavings = removing.leavings(Path(SYSTEM_FOLDER), RootFs())
    draft = _DRAFT.exists()
    asked = bool(module.params["discard"] or marks or any(leavings) or draft)
    if not (module.check_mode or any(leavings)):
        # Of a removal that came to its end.
        removing.forget(Path(SYSTEM_FOLDER))
    if module.check_mode or not (found or asked):
        lines = found.lines()
        changed = bool(found or asked)
        return {"changed": changed, "holder": "", "unfinished": lines, "left": lines, "drafts": []}
    outputs: list[str] = []
    drafts: list[str] = []
    with dpkg_locked(module.params["wait"]):
        # Whoever held the lock may have finished it.
        found = state()
        discard = module.params["discard"]
        archives = [path for name in broken_of(found, discard) for path in cached(name)]
        if archives:
            dpkg(module, outputs, "--unpack", *archives)
        broken = broken_of(state(), discard)
        if broken:
            verb = "--purge" if module.params["purge"] else "--remove"
            dpkg(module, outputs, "--force-remove-reinstreq", verb, *broken)
            drafts = drafts_below(_PACKAGED)
        if state() or draft:
            dpkg(module, outputs, "--configure", "-a")
        take_back(module, outputs, leavings)
        for mark, packages in marks:
            run(module, outputs, ["apt-mark", mark, *packages])
    if module.params["repair"] and state():
        repair(module, outputs)
    left = state()
    if left.journal or (left and module.params["repair"]):
        module.fail_json(
            msg="dpkg cannot finish with these packages:\n" + "\n".join(left.lines()),
            stderr="\n".join(outputs),
        )
    return {
        "changed": bool(found or asked),
        "holder": "",
        "unfinished": found.lines(),
        "left": left.lines(),
        "drafts": [printable(draft) for draft in drafts],
    }


def take_back(module: AnsibleModule, outputs: list[str], leavings: removing.Leavings) -> None:
    """Have dpkg keep what an interrupted removal of a run did not come to, with apt's marks."""
    if leavings.selected:
        lines = "".join(f"{name} install\n" for name in leavings.selected)
        run(module, outputs, ["dpkg", "--set-selections"], FRONTEND_LOCKED, lines)
    if leavings.auto:
        run(module, outputs, ["apt-mark", "auto", *leavings.auto])
    removing.forget(Path(SYSTEM_FOLDER))


def state() -> Unfinished:
    """Return what is unfinished now."""
    return unfinished(Status(RootFs()))


def broken_of(found: Unfinished, names: list[str]) -> list[str]:
    """Return those of some packages that dpkg wants unpacked again."""
    return [package.name for package in found.packages if package.broken and package.name in names]


def cached(name: str, archives: str = _ARCHIVES) -> list[str]:
    """Return the archive of a package that apt fetched last; none where its cache has none."""
    package, _, architecture = name.partition(":")
    found = Path(archives).glob(f"{glob.escape(package)}_*_{architecture or '*'}.deb")
    # Their own times are those of the server.
    return [str(path) for path in sorted(found, key=lambda path: path.stat().st_ctime_ns)[-1:]]


def drafts_below(folders: Sequence[str]) -> list[str]:
    """Return files below some folders that dpkg was unpacking and did not come to rename."""
    walked = (found for folder in folders for found in os.walk(folder))
    return sorted(
        str(Path(place, name)) for place, _, names in walked for name in names
        if name.endswith(".dpkg-new")
    )  # fmt: skip


def repair(module: AnsibleModule, outputs: list[str]) -> None:
    """Have apt add what is missing, after writing down what that is."""
    wait_until_free(module.params["wait"])
    silent: Callable[[list[str]], tuple[int, str, str]] = module.run_command
    intend(Path(SYSTEM_FOLDER), simulate(silent, _REPAIR, []))
    command = ["apt-get", "--yes", f"--option=DPkg::Lock::Timeout={module.params['lock_timeout']}"]
    code = run(module, outputs, [*command, *_REPAIR])
    holder = first_holder() if code else None
    if holder is not None:
        raise LockedError(str(holder))


def dpkg(module: AnsibleModule, outputs: list[str], *arguments: str) -> None:
    """Run dpkg under the lock that this process holds."""
    run(module, outputs, [*_DPKG, *arguments], FRONTEND_LOCKED)


def run(
    module: AnsibleModule,
    outputs: list[str],
    command: list[str],
    more: dict[str, str] | None = None,
    data: str | None = None,
) -> int:
    """Run a command and keep what a failing one said; what is left tells whether it matters."""
    environment = {**_ENVIRONMENT, **(more or {})}
    code, output, complaint = module.run_command(command, environ_update=environment, data=data)
    if code:
        outputs.append(text_without_credentials(f"{output}\n{complaint}".strip()))
    return int(code)


if __name__ == "__main__":
    main()
