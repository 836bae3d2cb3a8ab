"""What a machine was before each provisioning, and the way back to it.

A run of ``site.yml`` writes a record before its first change and another after its last one.
What differs between the two is the run's doing; everything else belongs to the machine's
owner. `rollback` undoes the first and leaves the second alone.

This sub-package travels to bare targets inside Ansible modules: standard library only,
Python 3.8 and later, relative imports only.
"""

from __future__ import annotations

from .restore import Restored, restore_files, restore_groups
from .rollback import FileChange, Plan, plan
from .runs import Run, RunError, begin, choose, finish, forget, list_runs
from .state import State, read_state

__all__ = [
    "FileChange",
    "Plan",
    "Restored",
    "Run",
    "RunError",
    "State",
    "begin",
    "choose",
    "finish",
    "forget",
    "list_runs",
    "plan",
    "read_state",
    "restore_files",
    "restore_groups",
]
