"""Which of the two legal states a machine is in: the old one or the new one."""

from __future__ import annotations

import json
import re
import subprocess

from faults.machines import STACK, USER, Machine
from support.box_state import State, difference, state

ENVIRONMENT = f"/opt/rdna1/{STACK}"
# What two undisturbed runs differ in: the names and contents of their snapshots, the cache of uv
# with names at random, and files that hold the time of a build.
_VARYING = re.compile(
    r"/var/lib/rdna1/snapshots/|/opt/rdna1/cache/"
    r"|\.pyc$|/rdna1-[^/]*\.dist-info/(?:RECORD|uv_cache\.json)$"
)
_DPKG = "/var/lib/dpkg"
_MARKS = " /var/lib/apt/extended_states"
# What an interrupted run left where nobody looks, although a later one ended well.
_LEFT = "ls -d /root/.ansible/tmp/* /opt/rdna1/cache/.tmp* 2>/dev/null || true"
_AS_USER = f"""
set -eu
cd
test "$({ENVIRONMENT}/bin/python -c 'import torch; print(torch.__version__)')"
test -z "${{MIOPEN_FIND_ENFORCE-}}"
grep -q HSA_OVERRIDE_GFX_VERSION=10.3.0 /etc/profile.d/rocm-rdna1-57.sh
rdna1-preflight list >/dev/null
rdna1-preflight --version >/dev/null
test -r /etc/rdna1/stack.json
id -nG | grep -qw render
"""
_SHOWN_LINES = 12


def full_state(machine: Machine) -> State:
    """Files with contents, modes and owners, accounts, packages, and what dpkg keeps of them."""
    # Marks are compared by themselves; the order of apt's own list is its own affair.
    found = state(machine, machine.mounts)
    contents = {line for line in found["contents"] if not line.endswith(_MARKS)}
    kept = ("sh", "-c", f"cd {_DPKG} && ls info && cat diversions* statoverride* || true")
    return {**found, "contents": contents, "dpkg": set(machine.run(*kept).splitlines())}


def not_old(machine: Machine, old: State) -> list[str]:
    """What keeps a machine from being in the state before the first run."""
    return [*_dpkg_problems(machine), *_shown(difference(old, full_state(machine)))]


def not_new(machine: Machine, new: State) -> list[str]:
    """What keeps a machine from being as an undisturbed run leaves it, for its users too."""
    differing = difference(_settled(new), _settled(full_state(machine)))
    return [*_dpkg_problems(machine), *_shown(differing), *_user_problems(machine)]


def left_behind(machine: Machine) -> list[str]:
    """Drafts and temporary folders that no later run looks for."""
    return sorted(machine.run("sh", "-c", _LEFT).split())


def reported(machine: Machine) -> set[str]:
    """Checks that did not pass when preflight last looked at a machine."""
    report = machine.folder / "reports" / machine.name / "preflight.json"
    if not report.exists():
        return {"no report"}
    checks = json.loads(report.read_text())["checks"]
    return {check["id"] for check in checks if check["status"] in ("warn", "fail")}


def _settled(found: State) -> State:
    """A state without what differs between two undisturbed runs."""
    files = {line for line in found["files"] if not _VARYING.search(line)}
    contents = {line for line in found["contents"] if not _VARYING.search(line)}
    return {**found, "files": files, "contents": contents}


def _dpkg_problems(machine: Machine) -> list[str]:
    problems = []
    journal = machine.run("ls", f"{_DPKG}/updates").split()
    if journal:
        problems.append(f"dpkg's journal holds {len(journal)} entries")
    audit = _try(machine, "dpkg", "--audit")
    if audit.stdout or audit.returncode:
        problems.append(f"dpkg --audit: {' '.join((audit.stdout + audit.stderr).split())[:200]}")
    check = _try(machine, "apt-get", "check", "-qq")
    if check.returncode:
        problems.append(f"apt-get check: {' '.join((check.stdout + check.stderr).split())[:200]}")
    return problems


def _user_problems(machine: Machine) -> list[str]:
    used = _try(machine, "su", "-", USER, "-c", _AS_USER)
    if used.returncode == 0:
        return []
    return [f"{USER} cannot use it: {' '.join((used.stdout + used.stderr).split())[:300]}"]


def _shown(differing: dict[str, list[str]]) -> list[str]:
    """The first lines of each part of a difference, and how many follow."""
    shown: list[str] = []
    for part, lines in differing.items():
        shown.extend(f"{part}: {line}" for line in lines[:_SHOWN_LINES])
        if len(lines) > _SHOWN_LINES:
            shown.append(f"{part}: and {len(lines) - _SHOWN_LINES} more")
    return shown


def _try(machine: Machine, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["podman", "exec", machine.name, *command], capture_output=True, text=True, check=False
    )
