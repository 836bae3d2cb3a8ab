"""Check mirrors on the controller, and have them ready to be copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from ansible.plugins.action import ActionBase

from rdna1.errors import InputError
from rdna1.mirror import MirrorError, prepare

ARGUMENTS = {
    "paths": {"type": "list", "elements": "str", "required": True},
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
        cache = Path(arguments["cache"])
        checked = {path: _checked(Path(path), cache) for path in arguments["paths"]}
        # A mirror that cannot be used is of no concern to machines with another one.
        return {
            **result,
            "changed": False,
            "mirrors": {path: found for path, found in checked.items() if isinstance(found, dict)},
            "errors": {path: found for path, found in checked.items() if isinstance(found, str)},
        }


def _checked(path: Path, cache: Path) -> dict[str, Any] | str:
    """A mirror, or why it cannot be used."""
    try:
        mirror = prepare(path, cache)
    except (InputError, MirrorError) as error:
        return str(error)
    return {
        "archive": str(mirror.archive),
        "folder": str(mirror.folder),
        "sha256": mirror.sha256,
        "manifest": msgspec.to_builtins(mirror.manifest),
    }
