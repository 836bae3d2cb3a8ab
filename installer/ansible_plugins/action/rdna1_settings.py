"""Write a stack's settings; a machine whose facts name them is not asked again."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from rdna1.plan.profile_written import are_written

# Facts are older than what was written since.
_WRITTEN = "rdna1_settings_written"


class ActionModule(ActionBase):
    """Runs the module of the same name where it has something to do, or may have."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        facts = variables["ansible_facts"]
        found = facts.get("rdna1", {}).get("stack_settings")
        if found is not None and _WRITTEN not in facts and are_written(self._task.args, found):
            return {**result, "changed": False, "altered": [], "diff": []}
        done: dict[str, Any] = self._execute_module(task_vars=variables)
        if done.get("changed") and not self._task.check_mode:
            done["ansible_facts"] = {_WRITTEN: True}
        return {**result, **done}
