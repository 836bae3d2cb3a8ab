"""What Ansible's actions share whose work ends in a report; the commands do without it."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR

from rdna1.cli.output import TextStyle, write_report
from rdna1.errors import InputError
from rdna1.target.folders import make_folders
from rdna1.target.printable import printable, printable_lines


class ReportAction(ActionBase):
    """An action with checked arguments, which prints for users and writes files for programs.

    Attributes:
        ARGUMENTS: their specification, as Ansible's modules write it.
    """

    ARGUMENTS: ClassVar[Mapping[str, Mapping[str, object]]]

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        validated = self.validate_argument_spec(self.ARGUMENTS)  # type: ignore[no-untyped-call]
        return {**result, "changed": False, **self.report(validated[1], variables)}

    @abstractmethod
    def report(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Do the work of the action.

        Args:
            arguments: checked, with the defaults filled in.
            variables: of the host.

        Returns:
            What the result of the task holds besides ``changed``.

        Raises:
            AnsibleActionFail: the task fails.
        """

    def module(
        self, name: str, arguments: Mapping[str, Any], variables: dict[str, Any]
    ) -> dict[str, Any]:
        """Run a module on the target.

        Raises:
            AnsibleActionFail: it failed.
        """
        result: dict[str, Any] = self._execute_module(
            module_name=name, module_args=dict(arguments), task_vars=variables
        )
        if result.get("failed"):
            message = printable_lines(str(result.get("msg", f"{name} failed")))
            raise AnsibleActionFail(message, result=result)
        return result


def terminal_style() -> TextStyle:
    """Return the style of what Ansible's terminal shows."""
    return TextStyle(width=shutil.get_terminal_size().columns, colour=bool(ANSIBLE_COLOR))


def write(text: str, path: Path) -> None:
    """Write a report on the controller, in a folder that is made where it is missing.

    Raises:
        AnsibleActionFail: it could not be written.
    """
    try:
        make_folders(path.parent)
        write_report(text, path)
    except (OSError, InputError) as error:
        raise AnsibleActionFail(printable(f"the report could not be written: {error}")) from error
