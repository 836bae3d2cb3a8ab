"""Assess a machine: facts from the target, assessment on the controller."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

try:
    from rdna1.catalog.stacks import PytorchSource, RocmSource, load_stack, requested_packages
    from rdna1.cli.action import ReportAction, terminal_style, write
    from rdna1.errors import InputError
    from rdna1.preflight import Report, Scope, assess, find_check, load_facts
    from rdna1.report.json import to_json
    from rdna1.report.preflight import preflight_text
    from rdna1.target.printable import printable
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python that runs Ansible cannot import rdna1 ({error}). Remedy: use "
        "'./run provision', or 'pip install --editable .' in the environment of ansible-playbook"
    ) from error

# Variables that several roles share; every other public variable has its role's name in front.
SHARED_VARIABLES = frozenset(
    {
        "rdna1_lock_timeout",
        "rdna1_mirror",
        "rdna1_pytorch_source",
        "rdna1_report_dir",
        "rdna1_rocm_replace",
        "rdna1_rocm_source",
        "rdna1_scope",
        "rdna1_stack",
        "rdna1_users",
    }
)


class ActionModule(ReportAction):
    """Runs ``rdna1_facts`` on the target, assesses, prints, writes the report."""

    ARGUMENTS: ClassVar = {
        "stack": {"type": "str", "required": True},
        "rocm_source": {"type": "str", "default": ""},
        "pytorch_source": {"type": "str", "default": ""},
        "rocm_replace": {"type": "bool", "default": False},
        "scope": {"type": "str", "default": "system"},
        "mirror_fingerprint": {"type": "str", "default": ""},
        "users": {"type": "list", "elements": "str", "default": []},
        "ignore": {"type": "list", "elements": "str", "default": []},
        "strict": {"type": "bool", "default": False},
        "fail": {"type": "bool", "default": True},
        "root": {"type": "str", "default": "/"},
        "report": {"type": "str", "required": True},
    }

    def report(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Assess; see `ReportAction.report`."""
        refuse_unknown_variables(variables)
        asked = {"root": arguments["root"], "users": arguments["users"]}
        asked["packages"] = requested_packages()
        facts = self.module("rdna1_facts", asked, variables)["ansible_facts"]
        try:
            report = _assess(facts["rdna1"], arguments)
        except InputError as error:
            raise AnsibleActionFail(printable(str(error))) from error
        write(to_json(report), Path(arguments["report"]))
        style = terminal_style()
        text = preflight_text(
            report, width=style.width, colour=style.colour, verbose=Display().verbosity > 0
        )
        Display().display(f"\nPreflight of {variables['inventory_hostname']}\n{text}")
        if arguments["scope"] == "user" and (errands := _for_root(report)):
            Display().display("For whoever has root here, once:\n" + "\n".join(errands))
        blockers = _blockers(report, strict=arguments["strict"])
        if blockers and arguments["fail"]:
            raise AnsibleActionFail(_refusal(report, blockers, arguments["report"]))
        assessed = msgspec.to_builtins(report)
        return {
            "ansible_facts": facts,
            "report": assessed,
            "blockers": blockers,
            "msg": f"verdict: {report.verdict}",
        }


def refuse_unknown_variables(variables: Mapping[str, Any]) -> None:
    """Stop on a misspelt shared variable, which would otherwise do nothing at all.

    Raises:
        AnsibleActionFail: a variable starts with ``rdna1_`` and is none of the shared ones.
    """
    unknown = sorted(n for n in variables if n.startswith("rdna1_") and n not in SHARED_VARIABLES)
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], SHARED_VARIABLES, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise AnsibleActionFail(
        f"unknown variable {printable(', '.join(unknown))}{hint} Remedy: correct the name in "
        f"the inventory or on the command line; known are {', '.join(sorted(SHARED_VARIABLES))}"
    )


def _assess(facts: Mapping[str, Any], arguments: Mapping[str, Any]) -> Report:
    return assess(
        load_facts(json.dumps(facts).encode()),
        load_stack(str(arguments["stack"])),
        ignore=[str(check) for check in arguments["ignore"]],
        pytorch_source=msgspec.convert(arguments["pytorch_source"] or None, PytorchSource | None),
        rocm_source=msgspec.convert(arguments["rocm_source"] or None, RocmSource | None),
        rocm_replace=bool(arguments["rocm_replace"]),
        scope=msgspec.convert(arguments["scope"], Scope),
        mirror_fingerprint=str(arguments["mirror_fingerprint"]),
    )


def _blockers(report: Report, *, strict: bool) -> list[str]:
    """Return ids of the checks that refuse the machine; with ``strict`` warnings do so as well."""
    statuses = {"fail", "warn"} if strict else {"fail"}
    return [check.id for check in report.checks if check.status in statuses]


def _for_root(report: Report) -> list[str]:
    """Return what a user without root has to ask for."""
    return [
        printable(f"  {check.id}: {check.remedy}")
        for check in report.checks
        if check.status in ("warn", "fail", "ignored") and "As root" in check.remedy
    ]


def _refusal(report: Report, blockers: list[str], path: str) -> str:
    text = (
        f"refused for the stack {report.stack}, nothing was changed: {', '.join(blockers)}. "
        f"Each finding above names its remedy; the whole report is in {path}."
    )
    ignorable = [check_id for check_id in blockers if not find_check(check_id).strict]
    if ignorable:
        text += f" To go on all the same: preflight_ignore: [{', '.join(ignorable)}]"
    if len(ignorable) < len(blockers):
        text += " A strict check protects the machine and cannot be ignored."
    return text
