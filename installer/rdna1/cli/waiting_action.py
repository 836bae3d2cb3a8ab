"""What the action plugins that use dpkg or apt share: they wait, and say for whom."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_REMEDY = (
    "Remedy: wait until it ends, or end it if it hangs; then run again. Do not delete the lock"
)


class WaitingAction(ActionBase):
    """Calls a module until nobody holds a lock that it needs."""

    def when_free(
        self,
        module: str,
        arguments: dict[str, Any],
        variables: dict[str, Any],
        deadline: float,
    ) -> dict[str, Any]:
        """Call a module until it does not have to wait any more.

        Args:
            module: its name; its result's ``holder`` says who holds a lock.
            arguments: of the module.
            variables: of the task.
            deadline: by `time.monotonic`.

        Returns:
            The module's result, or a failure that names the holder and the remedy.
        """
        said = ""
        while True:
            done: dict[str, Any] = self._execute_module(
                module_name=module, module_args=arguments, task_vars=variables
            )
            holder = done.get("holder")
            if not holder:
                return done
            who = holder.partition(", and still did")[0]
            if time.monotonic() >= deadline:
                timeout = arguments.get("lock_timeout", "")
                text = f"{who}, and still did after {timeout} seconds. {_REMEDY}"
                return {**done, "failed": True, "msg": text}
            if who != said:
                Display().display(f"[{variables['inventory_hostname']}] waiting: {who}")
                said = who
