"""Finish what an interrupted dpkg left; the module of the same name does it on the machine."""

from __future__ import annotations

import time
from typing import Any

from rdna1.cli.waiting_action import WaitingAction

_SECONDS = 600


class ActionModule(WaitingAction):
    """Waits for other programs that use dpkg, and says for which."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        arguments: dict[str, Any] = {"lock_timeout": _SECONDS, **self._task.args}
        deadline = time.monotonic() + int(arguments["lock_timeout"])
        return {**result, **self.when_free("rdna1_dpkg", arguments, variables, deadline)}
