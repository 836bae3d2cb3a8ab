"""Report what was judged, installed and measured; fail where a measurement failed."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR
from ansible.utils.display import Display

from rdna1.cli.output import UsageError, write_report
from rdna1.conv.smoke import SmokeReport
from rdna1.preflight import Report
from rdna1.report.json import to_json
from rdna1.report.provision import ProvisionReport, provision_text
from rdna1.stacks import Stack, load_stack

ARGUMENTS = {
    "stack": {"type": "str", "required": True},
    "validation": {"type": "str", "required": True},
    "destination": {"type": "str", "required": True},
}


class ActionModule(ActionBase):
    """Fetches the measurement, asks for versions, prints, writes the report."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        validated = self.validate_argument_spec(ARGUMENTS)  # type: ignore[no-untyped-call]
        arguments: dict[str, Any] = validated[1]
        facts = self._module("rdna1_facts", {}, variables)
        measured = self._module("ansible.legacy.slurp", {"src": arguments["validation"]}, variables)
        stack = load_stack(str(arguments["stack"]))
        report = ProvisionReport(
            host=str(variables["inventory_hostname"]),
            stack=stack.name,
            preflight=_preflight(variables),
            packages=_packages(stack, facts["ansible_facts"]["rdna1"]["apt"]["packages"]),
            validation=msgspec.json.decode(base64.b64decode(measured["content"]), type=SmokeReport),
        )
        destination = Path(arguments["destination"])
        _write(report, destination / "report.json")
        text = provision_text(
            report, width=shutil.get_terminal_size().columns, colour=bool(ANSIBLE_COLOR)
        )
        Display().display(f"\n{text}\nReport: {_short(destination / 'report.json')}")
        failed = report.validation.verdict == "fail"
        return {**result, "changed": False, "failed": failed, "msg": _message(report)}

    def _module(
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
            raise AnsibleActionFail(str(result.get("msg", f"{name} failed")))
        return result


def _preflight(variables: Mapping[str, Any]) -> Report | None:
    """The judgement that the action ``rdna1_preflight`` left among the facts of this host."""
    judged = variables["ansible_facts"].get("rdna1_preflight")
    return msgspec.json.decode(json.dumps(judged), type=Report) if judged else None


def _packages(stack: Stack, installed: Mapping[str, str]) -> dict[str, str]:
    """Versions of what the stack asks for by name, from whichever source it came."""
    sets = [packages.packages for source in stack.rocm_sources.values() for packages in source]
    names = sorted({*stack.pytorch.distro_packages, *(name for names in sets for name in names)})
    return {name: str(installed[name]) for name in names if name in installed}


def _short(path: Path) -> Path:
    """The path as seen from the folder that the user is in, where it is below it."""
    absolute = path.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def _write(report: ProvisionReport, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_report(to_json(report), path)
    except (OSError, UsageError) as error:
        raise AnsibleActionFail(f"the report could not be written: {error}") from error


def _message(report: ProvisionReport) -> str:
    bad = [result for result in report.validation.cases if result.outcome != "pass"]
    if not bad:
        return f"validation: {report.validation.verdict}"
    return (
        f"the validation failed: {bad[0].case.label}: {bad[0].outcome} {bad[0].detail}. "
        "Remedy: keep to layers that passed (the report lists them), or try another stack"
    )
