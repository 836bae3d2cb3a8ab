#!/usr/bin/python
"""Go back to the state before a run."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.credentials import text_without_credentials
from ansible.module_utils.rdna1.target.facts.dpkg import Status
from ansible.module_utils.rdna1.target.facts.dpkg_unfinished import unfinished
from ansible.module_utils.rdna1.target.printable import printable, printable_lines
from ansible.module_utils.rdna1.target.rights import ONLY_ROOT
from ansible.module_utils.rdna1.target.rootfs import RootFs, UnreadableError
from ansible.module_utils.rdna1.target.snapshot import removing
from ansible.module_utils.rdna1.target.snapshot.differences import differences
from ansible.module_utils.rdna1.target.snapshot.file_changes import FileChange
from ansible.module_utils.rdna1.target.snapshot.files import TOO_LARGE
from ansible.module_utils.rdna1.target.snapshot.records import RunError
from ansible.module_utils.rdna1.target.snapshot.restore import (
    Restored,
    restore_files,
    restore_groups,
)
from ansible.module_utils.rdna1.target.snapshot.rollback import RollbackPlan, plan
from ansible.module_utils.rdna1.target.snapshot.runs import (
    Run,
    check_home,
    choose,
    forget,
    list_runs,
)
from ansible.module_utils.rdna1.target.snapshot.state import State, read_state

DOCUMENTATION = r"""
module: rdna1_rollback
short_description: Go back to the state before a run
description:
  - Compares the records of C(rdna1_snapshot) with the present state. What the runs did is to be
    undone, what the owner did stays.
  - Removes and installs no package itself; it says which.
options:
  path:
    description: Folder of the records.
    type: path
    required: true
  snapshot:
    description: Name of the record to go back to; empty for the oldest.
    type: str
    default: ""
  step:
    description:
      - C(plan) says what is to be done, C(restore) puts files and groups back, C(versions) says
        which versions of packages can be installed again.
      - C(finish) compares the machine with the record, and removes the record where nothing of the
        runs is left. While something is the records stay.
    type: str
    choices: [plan, restore, versions, finish]
    required: true
  home:
    description:
      - Home of the user who runs without root; nothing else is looked at. Empty for the machine.
    type: path
    default: ""
  restored_homes:
    description:
      - Users whose homes were restored from a backup or moved to another disk since the runs, so
        that their folders are other ones than those that were written down.
    type: list
    elements: str
    default: []
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Compare
  rdna1_rollback:
    path: /var/lib/rdna1/snapshots
    step: plan
"""

RETURN = r"""
plan:
  description: What is to be done now.
  returned: for all steps but C(finish)
  type: dict
done:
  description: What was done, or would be, in words.
  returned: always
  type: list
  elements: str
left:
  description: What stays as it is, with the reasons.
  returned: always
  type: list
  elements: str
undone:
  description: What of the runs is still there.
  returned: for the step C(finish)
  type: list
  elements: str
"""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "snapshot": {"type": "str", "default": ""},
            "step": {
                "type": "str",
                "choices": ["plan", "restore", "versions", "finish"],
                "required": True,
            },
            "home": {"type": "path", "default": ""},
            "restored_homes": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0 and not module.params["home"]:
        module.fail_json(msg=ONLY_ROOT.format("playbooks/user_rollback.yml"))
    folder = Path(module.params["path"])
    try:
        check_home(module.params["home"])
        runs = choose(list_runs(folder), str(module.params["snapshot"]), folder)
        result = STEPS[module.params["step"]](module, folder, runs)
    except (RunError, UnreadableError) as error:
        module.fail_json(msg=printable_lines(str(error)))
    except OSError as error:
        module.fail_json(msg=printable(f"{error.filename}: {error.strerror}"))
    module.exit_json(**result)


def planned(module: AnsibleModule, _folder: Path, runs: list[Run]) -> dict[str, Any]:
    """Say what is to be done."""
    found = compared(module, runs)
    simulate(module, found)
    files = restored(module, found.files, dry_run=True)
    groups = restore_groups(found.members, found.groups, lambda _: None, dry_run=True)
    return {
        "changed": False,
        "snapshot": runs[0].name,
        "plan": described(found),
        "done": files.done + groups.done,
        "left": files.left + groups.left + kept(found),
    }


def simulate(module: AnsibleModule, found: RollbackPlan) -> None:
    """Make sure that apt removes the packages of the plan and no others.

    Raises:
        RunError: it would remove more, or cannot do it.
    """
    names = found.purge + found.remove
    # With a package that is only half unpacked apt answers nothing; dpkg removes it first.
    if not names or found.broken:
        return
    code, output, complaint = module.run_command(["apt-get", "--simulate", "remove", *names])
    if code:
        said = text_without_credentials(complaint.strip())
        raise RunError(f"apt cannot remove the packages, nothing was changed: {said}")
    going = {line.split()[1] for line in output.splitlines() if line.startswith(("Remv ", "Purg "))}
    others = going - {name.partition(":")[0] for name in names} - set(names)
    if others:
        raise RunError(
            f"apt would remove {', '.join(sorted(others))} as well, which no run brought. Nothing "
            "was changed. Remedy: remove them first, or what they need is theirs to keep"
        )


def restore(module: AnsibleModule, folder: Path, runs: list[Run]) -> dict[str, Any]:
    """Put files and groups back."""
    found = compared(module, runs)
    dry_run = bool(module.check_mode)
    around = folders_around(found, folder)
    if not dry_run:
        # The packages went before; what is there now is meant to be.
        removing.forget(folder)
    files = restored(module, [c for c in found.files if c not in around], dry_run=dry_run)

    def run(command: list[str]) -> str | None:
        code, _, complaint = module.run_command(command)
        return complaint.strip() or f"status {code}" if code else None

    groups = restore_groups(found.members, found.groups, run, dry_run=dry_run)
    return {
        "changed": bool(files.done or groups.done),
        "plan": described(found),
        **together(files, groups),
    }


def versions(module: AnsibleModule, _folder: Path, runs: list[Run]) -> dict[str, Any]:
    """Say which versions can be installed again."""
    found = compared(module, runs)
    wanted = [f"{name}={version}" for name, version in found.versions.items()]
    there = [one for one in wanted if module.run_command(["apt-cache", "show", one])[0] == 0]
    gone = [f"{one}: apt has this version no more" for one in wanted if one not in there]
    return {"changed": False, "plan": described(found), "done": there, "left": gone}


def finish(module: AnsibleModule, folder: Path, runs: list[Run]) -> dict[str, Any]:
    """Compare the machine with the record, and remove the record if nothing of the runs is left."""
    if module.check_mode:
        return {"changed": True, "done": [], "left": [], "undone": []}
    now = present(module, runs)
    found = plan(runs, now)
    undone = remaining(module, found, folder)
    left = needed_packages(found)
    is_complete = not left and not undone
    if is_complete:
        left = differences(runs[0].before, now)
        forget(folder, runs)
        if not list_runs(folder):
            remove_own_folder(folder.parent)
            undone = restored(module, folders_around(found, folder), dry_run=False).left
    return {"changed": is_complete, "done": [], "left": left, "undone": undone}


def remaining(module: AnsibleModule, found: RollbackPlan, folder: Path) -> list[str]:
    """Return what of the runs is still there, though nothing keeps it."""
    around = folders_around(found, folder)
    ours = [change for change in found.files if change.ours and change not in around]
    looked_at = [change for change in ours if not was_left_out(change)]
    files = restored(module, looked_at, dry_run=True)
    lines = [f"package {name}: not removed" for name in found.purge + found.remove]
    lines += [f"package {name}: not {version} again" for name, version in found.versions.items()]
    lines += [f"package {name}: its mark" for name in found.auto + found.manual]
    lines += [f"group {group}: still has {user}" for group, user in found.members]
    lines += [f"group {group}: not removed" for group in found.groups]
    lines += [f"not done: {title}" for title in files.done] + files.left
    if not module.params["home"]:
        lines += unfinished(Status(RootFs())).lines()
    return lines


def restored(module: AnsibleModule, changes: list[FileChange], *, dry_run: bool) -> Restored:
    """Put files back, in restored homes too.

    Raises:
        RunError: a user is named whom this machine does not know.
    """
    users = {_uid_of(name) for name in module.params["restored_homes"]}
    return restore_files(changes, dry_run=dry_run, restored_homes=users)


def _uid_of(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise RunError(
            f"rollback_restored_homes: this machine has no user {name}. Remedy: name users, as "
            "'getent passwd' lists them"
        ) from None


def folders_around(found: RollbackPlan, folder: Path) -> list[FileChange]:
    """Return folders that the runs made and that hold the records, so that they go last."""
    return [change for change in found.files if Path(change.path) in folder.parents]


def remove_own_folder(folder: Path) -> None:
    """Remove reports, records and copies; the folder itself only if nothing else is in it."""
    for name in ("reports", "snapshots", "backups"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    if not any(folder.iterdir()):
        folder.rmdir()


def was_left_out(change: FileChange) -> bool:
    """Return whether something was not looked at, for a reason that its entry names."""
    entries = [entry for entry in (change.before, change.after) if entry is not None]
    return any(entry.get("reason", TOO_LARGE) != TOO_LARGE for entry in entries)


def compared(module: AnsibleModule, runs: list[Run]) -> RollbackPlan:
    """Return the plan for the present state."""
    return plan(runs, present(module, runs))


def present(module: AnsibleModule, runs: list[Run]) -> State:
    """Return the present state, as far as the runs looked at the machine."""
    users = {user for run in runs for user in run.users}
    earlier = [run.before for run in runs]
    home = str(module.params["home"])
    return read_state(tuple(users), contents=False, earlier=earlier, home=home)


def described(found: RollbackPlan) -> dict[str, Any]:
    """Return the plan without the contents of files, which are nobody's business in a log."""
    return {**found._asdict(), "files": [change.path for change in found.files]}


def kept(found: RollbackPlan) -> list[str]:
    """Return what the plan leaves as it is."""
    lines = [
        f"package {name}: came during an interrupted run, perhaps by your hand"
        for name in found.perhaps
    ]
    lines += [f"group {name}: others joined it since" for name in found.used_groups]
    lines += [
        f"group {name}: came during an interrupted run, perhaps by your hand"
        for name in found.perhaps_groups
    ]
    return needed_packages(found) + lines


def needed_packages(found: RollbackPlan) -> list[str]:
    """Return packages of the runs that stay as long as others need them."""
    return [f"package {name}: needed by {root}" for name, root in found.keep.items()]


def together(one: Restored, other: Restored) -> dict[str, list[str]]:
    """Return two results as one."""
    return {"done": one.done + other.done, "left": one.left + other.left}


STEPS = {"plan": planned, "restore": restore, "versions": versions, "finish": finish}

if __name__ == "__main__":
    main()
