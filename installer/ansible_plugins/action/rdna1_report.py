"""Report what was assessed, installed and measured; fail where a measurement failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from ansible.utils.display import Display

from rdna1.catalog.stacks import Stack, load_stack
from rdna1.cli.action import ReportAction, terminal_style, write
from rdna1.conv.result import RIGHT
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.smoke import SmokeReport, is_required
from rdna1.preflight import Report
from rdna1.report.json import to_json
from rdna1.report.limit import limit_line, limit_warning
from rdna1.report.provision import ProvisionReport, next_step, provision_text
from rdna1.report.smoke import smoke_advice
from rdna1.target.printable import printable_lines

# The files that the commands make as well.
_MEASUREMENTS = {"validation": "smoke.json", "boundary": "boundary.json"}


class ActionModule(ReportAction):
    """Asks for versions, prints, writes the report; measurements are arguments, as JSON."""

    ARGUMENTS: ClassVar = {
        "stack": {"type": "str", "required": True},
        "miopen_profile": {"type": "str", "required": True},
        "validation": {"type": "str", "required": True},
        "boundary": {"type": "str", "default": ""},
        "boundary_left_out": {"type": "str", "default": ""},
        "earlier": {"type": "dict", "default": {}},
        "destination": {"type": "str", "required": True},
        "activate": {"type": "str", "required": True},
    }

    def report(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Report; see `ReportAction.report`."""
        boundary = _boundary(str(arguments["boundary"]))
        stack = load_stack(str(arguments["stack"]))
        report = ProvisionReport(
            host=str(variables["inventory_hostname"]),
            stack=stack.name,
            preflight=_preflight(variables),
            packages=_packages(stack, self._installed(variables)),
            algorithms=stack.algorithms(str(arguments["miopen_profile"])),
            notes=_notes(stack, variables["ansible_facts"].get("rdna1_environment", {})),
            # What the roles leave as facts; they may have been left out.
            reboot_required=bool(
                variables.get("rocm_reboot_required")
                or variables["ansible_facts"].get("rdna1_reboot_required")
            ),
            relogin_required=bool(variables.get("rocm_relogin_required", False)),
            validation=msgspec.json.decode(arguments["validation"].encode(), type=SmokeReport),
            boundary=boundary,
            earlier={name: str(date) for name, date in arguments["earlier"].items() if date},
            limit=limit_line(boundary, str(arguments["boundary_left_out"]), stack),
        )
        folder = Path(arguments["destination"])
        for name in ("validation", "boundary"):
            if arguments[name]:
                write(arguments[name], folder / _MEASUREMENTS[name])
        path = folder / "report.json"
        write(to_json(report), path)
        style = terminal_style()
        text = provision_text(report, width=style.width, colour=style.colour)
        then = printable_lines(next_step(report, str(arguments["activate"])))
        Display().display(f"\n{text}\nReport: {_short(path)}\n\n{then}")
        warnings = [
            smoke_advice(report.validation),
            limit_warning(boundary, stack) if boundary else None,
        ]
        return {
            "failed": report.validation.verdict == "fail",
            "msg": _message(report),
            "warnings": [f"{report.host}: {warning}" for warning in warnings if warning],
        }

    def _installed(self, variables: dict[str, Any]) -> Mapping[str, str]:
        """Give packages of ROCm and PyTorch: from the record after the run, else asked for now."""
        known: Mapping[str, str] | None = variables["ansible_facts"].get("rdna1_installed")
        if known is not None:
            return known
        facts = self.module("rdna1_facts", {}, variables)["ansible_facts"]
        asked: Mapping[str, str] = facts["rdna1"]["apt"]["packages"] or {}
        return asked


def _boundary(text: str) -> BoundaryReport | None:
    return msgspec.json.decode(text.encode(), type=BoundaryReport) if text else None


def _preflight(variables: Mapping[str, Any]) -> Report | None:
    """Return the assessment that the role preflight registered for this host, if it was run."""
    assessed = variables.get("preflight_result", {}).get("report")
    return msgspec.json.decode(json.dumps(assessed), type=Report) if assessed else None


def _packages(stack: Stack, installed: Mapping[str, str]) -> dict[str, str]:
    """Return versions of what the stack asks for by name, from whichever source it came."""
    names = sorted({*stack.pytorch.distro_packages, *stack.rocm_packages})
    return {name: str(installed[name]) for name in names if name in installed}


def _notes(stack: Stack, environment: Mapping[str, Any]) -> list[str]:
    """Say what users of the stack's wheels have to know; the distribution's PyTorch is another."""
    if "torch" not in environment.get("packages", {}):
        return []
    return stack.pytorch.notes_on(str(environment["python"]))


def _short(path: Path) -> Path:
    """Return the path as seen from the folder that the user is in, where it is below it."""
    absolute = path.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def _message(report: ProvisionReport) -> str:
    bad = [
        result
        for result in report.validation.cases
        if result.outcome not in RIGHT and is_required(result.case)
    ]
    if not bad:
        return f"validation: {report.validation.verdict}"
    return (
        f"the validation failed: {bad[0].case.label}: {bad[0].outcome} {bad[0].detail}. "
        "Remedy: keep to layers that passed (the report lists them), or try another stack"
    )
