"""Judge a machine: facts from the target, judgement on the controller."""

from __future__ import annotations

import difflib
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

try:
    from rdna1.cli.output import UsageError, write_report
    from rdna1.preflight import CheckIdError, FactsError, Report, find_check, judge, load_facts
    from rdna1.report.json import to_json
    from rdna1.report.text import preflight_text
    from rdna1.stacks import (
        PytorchSource,
        RocmSource,
        UnknownStackError,
        load_stack,
        requested_packages,
    )
    from rdna1.yaml_data import DataFileError
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python that runs Ansible cannot import rdna1 ({error}). Remedy: use "
        "'./run provision', or 'pip install --editable .' in the environment of ansible-playbook"
    ) from error

# Variables that several roles share; every other public variable has its role's name in front.
SHARED_VARIABLES = frozenset(
    {
        "rdna1_pytorch_source",
        "rdna1_report_dir",
        "rdna1_rocm_source",
        "rdna1_stack",
        "rdna1_users",
    }
)

ARGUMENTS = {
    "stack": {"type": "str", "required": True},
    "rocm_source": {"type": "str", "default": ""},
    "pytorch_source": {"type": "str", "default": ""},
    "users": {"type": "list", "elements": "str", "default": []},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "strict": {"type": "bool", "default": False},
    "fail": {"type": "bool", "default": True},
    "root": {"type": "str", "default": "/"},
    "report": {"type": "str", "required": True},
}


class ActionModule(ActionBase):
    """Runs ``rdna1_facts`` on the target, judges, prints, writes the report."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        validated = self.validate_argument_spec(ARGUMENTS)  # type: ignore[no-untyped-call]
        arguments: dict[str, Any] = validated[1]
        refuse_unknown_variables(variables)
        facts = self._execute_module(
            module_name="rdna1_facts",
            module_args={
                "root": arguments["root"],
                "users": arguments["users"],
                "packages": requested_packages(),
            },
            task_vars=variables,
        )
        if facts.get("failed"):
            return {**result, **facts}
        try:
            report = _judge(facts["ansible_facts"]["rdna1"], arguments)
            path = Path(arguments["report"])
            path.parent.mkdir(parents=True, exist_ok=True)
            write_report(to_json(report), path)
        except (
            CheckIdError,
            OSError,
            UnknownStackError,
            DataFileError,
            FactsError,
            UsageError,
        ) as error:
            raise AnsibleActionFail(str(error)) from error
        text = preflight_text(
            report, width=shutil.get_terminal_size().columns, colour=bool(ANSIBLE_COLOR)
        )
        Display().display(f"\nPreflight of {variables['inventory_hostname']}\n{text}")
        blockers = _blockers(report, strict=arguments["strict"])
        if blockers and arguments["fail"]:
            raise AnsibleActionFail(_refusal(report, blockers, arguments["report"]))
        judged = msgspec.to_builtins(report)
        return {
            **result,
            "ansible_facts": {**facts["ansible_facts"], "rdna1_preflight": judged},
            "report": judged,
            "blockers": blockers,
            "changed": False,
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
        f"unknown variable {', '.join(unknown)}{hint} Remedy: correct the name in the inventory "
        f"or on the command line; known are {', '.join(sorted(SHARED_VARIABLES))}"
    )


def _judge(facts: Mapping[str, Any], arguments: Mapping[str, Any]) -> Report:
    return judge(
        load_facts(json.dumps(facts).encode()),
        load_stack(str(arguments["stack"])),
        ignore=[str(check) for check in arguments["ignore"]],
        pytorch_source=msgspec.convert(arguments["pytorch_source"] or None, PytorchSource | None),
        rocm_source=msgspec.convert(arguments["rocm_source"] or None, RocmSource | None),
    )


def _blockers(report: Report, *, strict: bool) -> list[str]:
    """Ids of the checks that refuse the machine; with ``strict`` warnings do so as well."""
    statuses = {"fail", "warn"} if strict else {"fail"}
    return [check.id for check in report.checks if check.status in statuses]


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
