"""Describe a collected mirror, and let it take the place of an older one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rdna1.mirror import MANIFEST, MirrorArchive, write_archive, write_manifest

ARGUMENTS = {
    "folder": {"type": "str", "required": True},
    "destination": {"type": "str", "required": True},
    "archive": {"type": "bool", "default": False},
    "archives": {"type": "list", "elements": "dict", "required": True},
    "subject": {"type": "dict", "required": True},
}


class ActionModule(ActionBase):
    """Runs on the controller alone."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        result: dict[str, Any] = super().run(tmp, task_vars or {})
        arguments = self.validate_argument_spec(ARGUMENTS)[1]  # type: ignore[no-untyped-call]
        folder, destination = Path(arguments["folder"]), Path(arguments["destination"])
        if destination.exists() and not destination.joinpath(MANIFEST).exists():
            raise AnsibleActionFail(
                f"{destination} is there and no mirror. Remedy: name another folder with "
                "mirror_destination"
            )
        # Ansible's strings are of types of its own.
        given = json.loads(json.dumps({name: arguments[name] for name in ("archives", "subject")}))
        archives = msgspec.convert(given["archives"], list[MirrorArchive])
        manifest = write_manifest(folder, given["subject"], archives)
        shutil.rmtree(destination, ignore_errors=True)
        folder.rename(destination)
        packed = destination.with_name(f"{destination.name}.tar")
        if arguments["archive"]:
            write_archive(destination, manifest, packed)
        size = sum(file.size for file in manifest.files)
        where = packed if arguments["archive"] else destination
        return {
            **result,
            "changed": True,
            "path": str(where),
            "msg": f"{where}: {len(manifest.files)} files, {size / 1e6:.0f} MB",
        }
