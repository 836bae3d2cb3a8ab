"""Build a stack's environment: what it is built with is copied only where it has to be built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rdna1.errors import InputError
from rdna1.target.printable import printable, printable_lines
from rdna1.target.venvs.spec import digest
from rdna1.wheels.project import project_wheel


class ActionModule(ActionBase):
    """Compares, copies what is missing, builds; the module of the same name does it there."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        arguments: dict[str, Any] = dict(self._task.args)
        uv, project = (Path(arguments.pop(name)) for name in ("controller_uv", "project"))
        try:
            wheel = project_wheel(project, uv)
            arguments["wheel_digest"] = digest(wheel)
            arguments |= _places(arguments["prefix"], uv, wheel)
        except InputError as error:
            raise AnsibleActionFail(printable_lines(str(error))) from error
        except OSError as error:
            raise AnsibleActionFail(printable(f"{error.filename}: {error.strerror}")) from error
        found = self._module({**arguments, "compare": True}, variables)
        if found.get("failed") or found["fits"] or self._task.check_mode:
            return {**result, **found}
        return {**result, **self._build(found["missing"], uv, wheel, arguments, variables)}

    def _build(
        self,
        missing: Sequence[str],
        uv: Path,
        wheel: Path,
        arguments: dict[str, Any],
        variables: dict[str, Any],
    ) -> dict[str, Any]:
        """Copy what is missing to a folder on the machine, and have the module build with it."""
        local = {name: path for name, path in (("uv", uv), ("wheel", wheel)) if name in missing}
        self._make_tmp_path()
        folder = self._connection._shell.tmpdir
        copies = {f"{name}_copy": f"{folder}/{path.name}" for name, path in local.items()}
        try:
            for path, copy in zip(local.values(), copies.values(), strict=True):
                self._transfer_file(str(path), copy)  # type: ignore[no-untyped-call]
            # So that a user whom the play becomes can read them.
            readable = [folder, *copies.values()]
            self._fixup_perms2(readable, execute=False)  # type: ignore[no-untyped-call]
            return self._module({**arguments, **copies}, variables)
        finally:
            self._remove_tmp_path(folder)  # type: ignore[no-untyped-call]

    def _module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = self._execute_module(
            module_name="rdna1_venv", module_args=arguments, task_vars=variables
        )
        return done


def _places(prefix: str, uv: Path, wheel: Path) -> dict[str, str]:
    """Return where a build has its two files on the machine."""
    return {
        "uv": f"{prefix}/bin/uv",
        "uv_digest": digest(uv),
        "wheel": f"{prefix}/wheels/{wheel.name}",
    }
