"""Check a mirror on the controller, and have it ready to be copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rdna1.mirror import MirrorError, prepare

ARGUMENTS = {
    "path": {"type": "str", "required": True},
    "cache": {"type": "str", "required": True},
}


class ActionModule(ActionBase):
    """Runs on the controller alone."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        result: dict[str, Any] = super().run(tmp, task_vars or {})
        arguments = self.validate_argument_spec(ARGUMENTS)[1]  # type: ignore[no-untyped-call]
        try:
            mirror = prepare(Path(arguments["path"]), Path(arguments["cache"]))
        except MirrorError as error:
            raise AnsibleActionFail(str(error)) from error
        return {
            **result,
            "changed": False,
            "archive": str(mirror.archive),
            "folder": str(mirror.folder),
            "sha256": mirror.sha256,
            "manifest": msgspec.to_builtins(mirror.manifest),
        }
