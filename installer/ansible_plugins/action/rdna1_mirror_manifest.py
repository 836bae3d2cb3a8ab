"""Describe a collected mirror, and let it take the place of an older one."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rdna1.mirror import (
    MANIFEST,
    MirrorArchive,
    MirrorError,
    sign,
    write_archive,
    write_manifest,
)
from rdna1.target.printable import printable_lines

ARGUMENTS = {
    "folder": {"type": "str", "required": True},
    "destination": {"type": "str", "required": True},
    "archive": {"type": "bool", "default": False},
    "archives": {"type": "list", "elements": "dict", "required": True},
    "subject": {"type": "dict", "required": True},
    # Of gpg, which signs the manifest; empty for none.
    "signing_key": {"type": "str", "default": ""},
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
        packed = destination.with_name(f"{destination.name}.tar")
        try:
            archives = msgspec.convert(given["archives"], list[MirrorArchive])
            manifest = write_manifest(folder, given["subject"], archives)
            if arguments["signing_key"]:
                sign(folder, arguments["signing_key"])
            shutil.rmtree(destination, ignore_errors=True)
            folder.rename(destination)
            if arguments["archive"]:
                write_archive(destination, manifest, packed)
        except (MirrorError, msgspec.ValidationError) as error:
            raise AnsibleActionFail(printable_lines(str(error))) from error
        sha256 = hashlib.sha256(destination.joinpath(MANIFEST).read_bytes()).hexdigest()
        size = sum(file.size for file in manifest.files)
        where = packed if arguments["archive"] else destination
        return {
            **result,
            "changed": True,
            "path": str(where),
            "sha256": sha256,
            "msg": (
                f"{where}: {len(manifest.files)} files, {size / 1e6:.0f} MB, SHA-256 of its "
                f"manifest {sha256}"
            ),
        }
