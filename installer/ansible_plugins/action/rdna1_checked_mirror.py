"""Check mirrors on the controller, and have them ready to be copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from ansible.plugins.action import ActionBase

from rdna1.errors import InputError
from rdna1.mirror import Expected, MirrorError, prepare
from rdna1.target.printable import printable

ARGUMENTS = {
    # Of every machine: ``path``, and ``sha256`` and ``keyring`` as its owner expects them.
    "asked": {"type": "list", "elements": "dict", "required": True},
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
        asked: dict[str, set[Expected]] = {}
        for each in arguments["asked"]:
            expected = Expected(str(each["sha256"]), str(each["keyring"]))
            asked.setdefault(str(each["path"]), set()).add(expected)
        checked = {path: _checked(Path(path), expected, cache) for path, expected in asked.items()}
        # A mirror that cannot be used is of no concern to machines with another one.
        return {
            **result,
            "changed": False,
            "mirrors": {path: found for path, found in checked.items() if isinstance(found, dict)},
            "errors": {path: found for path, found in checked.items() if isinstance(found, str)},
        }


def _checked(path: Path, expected: set[Expected], cache: Path) -> dict[str, Any] | str:
    """Return a mirror, or why it cannot be used."""
    if len(expected) != 1:
        return (
            f"{path}: the machines of this play expect different manifests or keyrings of it. "
            "Remedy: give them the same offline_manifest_sha256 and offline_keyring, or play them "
            "one after the other with --limit"
        )
    try:
        mirror = prepare(path, cache, next(iter(expected)))
    except (InputError, MirrorError) as error:
        return printable(str(error))
    return {
        "path": str(path),
        "archive": str(mirror.archive),
        "folder": str(mirror.folder),
        "sha256": mirror.sha256,
        "manifest": msgspec.to_builtins(mirror.manifest),
    }
