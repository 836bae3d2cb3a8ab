"""Write down the state of a machine; the module of the same name does it on the machine."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Makes sure before the first change that Ansible can bring files to the machine."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``.

        Raises:
            AnsibleConnectionFailure: Ansible's temporary folder cannot be made on the machine. A
                run without it would stop in the middle, at the first file that is brought there.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.args.get("moment") == "before":
            # Ansible removes it after the task.
            self._make_tmp_path()
        return {**result, **self._execute_module("rdna1_snapshot", task_vars=task_vars)}
