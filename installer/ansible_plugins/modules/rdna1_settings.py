#!/usr/bin/python
"""Write the files and links that belong together, in one go."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.printable import printable

DOCUMENTATION = r"""
module: rdna1_settings
short_description: Write files and links that belong together
description:
  - Writes files and links, makes the folders that they are in, and removes files of other stacks.
  - A file is replaced in one step, so that no program reads half of it, and differences are shown
    in check mode also for folders that are not there yet.
options:
  files:
    description:
      - Files with C(path), C(content) and C(backup), whether a copy of a file that was there before
        is kept next to it.
    type: list
    elements: dict
    default: []
  links:
    description: Path of each link to what it names. It also takes the place of a file.
    type: dict
    default: {}
  folders:
    description:
      - Folders that get the owner and the mode 0755. Others that are missing do as well; those that
        are there stay as they are.
    type: list
    elements: path
    default: []
  stale:
    description: Patterns of files that are removed unless they are written here.
    type: list
    elements: str
    default: []
  owner:
    description: Name or id of the user who owns all of it.
    type: raw
    required: true
  group:
    description: Name or id of the group.
    type: raw
    required: true
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Write the profile script
  rdna1_settings:
    files:
      - path: /etc/profile.d/rocm-rdna1-57.sh
        content: "{{ lookup('ansible.builtin.template', 'profile.sh.j2') }}"
        backup: true
    stale: [/etc/profile.d/rocm-rdna1-*.sh]
    owner: root
    group: root
"""

RETURN = r"""
altered:
  description: Paths that are (or, in check mode, would be) others than before.
  returned: always
  type: list
  elements: str
"""


class Settings:
    """What is written, and how it differs from what was there.

    Attributes:
        altered: paths.
        differences: before and after of each, as C(--diff) shows them.
    """

    def __init__(self, module: AnsibleModule) -> None:
        """Begin with nothing."""
        self._module = module
        self.altered: list[str] = []
        self.differences: list[dict[str, str]] = []

    def folder(self, path: Path, *, always: bool) -> None:
        """Make a folder and those above it.

        Args:
            path: of the folder.
            always: whether one that is there gets owner and mode as well.
        """
        # In check mode a folder is still missing after it was noted.
        missing = not path.is_dir() and str(path) not in self.altered
        if missing:
            self.folder(path.parent, always=False)
            self._note(path, "", "folder\n")
            if not self._module.check_mode:
                path.mkdir()
        if missing or always:
            self._rights(path, "0755")

    def file(self, path: Path, content: str, *, backup: bool) -> None:
        """Write a file unless it holds the content already."""
        self.folder(path.parent, always=False)
        before = _content(path)
        if before != content:
            self._note(path, before or "", content)
            if not self._module.check_mode:
                if backup and before is not None:
                    self._module.backup_local(str(path))
                self._replace(path, content)
        self._rights(path, "0644")

    def link(self, path: Path, target: str) -> None:
        """Let a link name the target; also in place of a file, which is not a link."""
        self.folder(path.parent, always=False)
        before = os.readlink(path) if path.is_symlink() else None
        if before == target:
            return
        there = "a file" if before is None and os.path.lexists(path) else before or ""
        self._note(path, there and f"{there}\n", f"{target}\n")
        if not self._module.check_mode:
            draft = path.with_name(f"{path.name}.rdna1-draft")
            draft.unlink() if draft.is_symlink() else None
            draft.symlink_to(target)
            draft.replace(path)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        self._note(path, _content(path) or "", "")
        if not self._module.check_mode:
            path.unlink()

    def _replace(self, path: Path, content: str) -> None:
        with tempfile.NamedTemporaryFile(
            "wb", dir=self._module.tmpdir, prefix="rdna1-", delete=False
        ) as file:
            file.write(content.encode())
        self._module.atomic_move(file.name, str(path))

    def _rights(self, path: Path, mode: str) -> None:
        if self._module.check_mode and not os.path.lexists(path):
            return
        rights = self._module.load_file_common_arguments(
            {**self._module.params, "mode": mode}, path=str(path)
        )
        if self._module.set_fs_attributes_if_different(rights, False):
            self._note(path)

    def _note(self, path: Path, before: str | None = None, after: str = "") -> None:
        """Keep that a path differs, and in what."""
        if str(path) not in self.altered:
            self.altered.append(str(path))
        if before is None:
            return
        self.differences.append(
            {
                "before_header": f"{path}" if before else f"{path} (not there)",
                "after_header": f"{path}" if after else f"{path} (removed)",
                "before": before,
                "after": after,
            }
        )


def _content(path: Path) -> str | None:
    """Return the text of a regular file, None of what is none."""
    if path.is_symlink() or not path.exists():
        return None
    return path.read_bytes().decode(errors="replace")


def write(module: AnsibleModule) -> Settings:
    """Write everything.

    Raises:
        OSError: a file could not be read or written.
    """
    params: dict[str, Any] = module.params
    settings = Settings(module)
    for folder in params["folders"]:
        settings.folder(Path(folder), always=True)
    for file in params["files"]:
        settings.file(Path(file["path"]), file["content"], backup=file["backup"])
    for path, target in params["links"].items():
        settings.link(Path(path), target)
    written = {Path(file["path"]) for file in params["files"]}
    found = {path for pattern in params["stale"] for path in Path("/").glob(pattern.lstrip("/"))}
    for path in sorted(found - written):
        settings.remove(path)
    return settings


def main() -> None:
    """Entry point of the module."""
    file = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "backup": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "options": file, "default": []},
            "links": {"type": "dict", "default": {}},
            "folders": {"type": "list", "elements": "path", "default": []},
            "stale": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "raw", "required": True},
            "group": {"type": "raw", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        settings = write(module)
    except OSError as error:
        module.fail_json(
            msg=printable(f"{error.filename}: {error.strerror}. Remedy: move it out of the way, ")
            + "or make it writable, then run again"
        )
    module.exit_json(
        changed=bool(settings.altered), altered=settings.altered, diff=settings.differences
    )


if __name__ == "__main__":
    main()
