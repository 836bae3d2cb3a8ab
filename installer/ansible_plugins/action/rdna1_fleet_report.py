"""Sum up what ``rdna1_preflight`` found on all hosts of a play; fail once if any is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR
from ansible.utils.display import Display

from rdna1.cli.output import UsageError, write_report
from rdna1.report.fleet import (
    FleetReport,
    HostResult,
    Judged,
    NotJudged,
    fleet_refusal,
    fleet_report,
    fleet_text,
)
from rdna1.report.html import fleet_html
from rdna1.report.json import to_json

ARGUMENTS = {"destination": {"type": "str", "required": True}}
# Under this name the role preflight registers what its action returned. A registered result
# ends with the run, where a fact may come from the cache of an earlier one.
RESULT = "preflight_result"


class ActionModule(ActionBase):
    """Gathers the judgements, writes one JSON and one HTML page, prints a table."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        validated = self.validate_argument_spec(ARGUMENTS)  # type: ignore[no-untyped-call]
        destination = Path(validated[1]["destination"])
        report = fleet_report(
            {
                str(host): _result(variables["hostvars"][host].get(RESULT, {}))
                for host in variables["ansible_play_hosts_all"]
            },
            judged_at=datetime.now(timezone.utc),
        )
        _write(report, destination)
        page = destination / "fleet.html"
        text = fleet_text(
            report, width=shutil.get_terminal_size().columns, colour=bool(ANSIBLE_COLOR)
        )
        Display().display(f"\n{text}\nPage: {page}")
        refusal = fleet_refusal(report)
        if refusal:
            raise AnsibleActionFail(
                f"{refusal} Nothing was changed. {page} groups the findings with their remedies."
            )
        return {**result, "changed": False, "msg": f"verdict: {report.verdict}"}


def _result(registered: Mapping[str, Any]) -> HostResult:
    """What became of a host, from what its task returned."""
    if "report" in registered:
        judged = {name: registered[name] for name in ("report", "blockers")}
        return msgspec.json.decode(json.dumps(judged), type=Judged)
    return NotJudged(
        reachable=not registered.get("unreachable", False),
        reason=str(registered.get("msg", "it failed before it could be judged")),
    )


def _write(report: FleetReport, destination: Path) -> None:
    try:
        destination.mkdir(parents=True, exist_ok=True)
        write_report(to_json(report), destination / "fleet.json")
        write_report(fleet_html(report), destination / "fleet.html")
    except (OSError, UsageError) as error:
        raise AnsibleActionFail(f"the report could not be written: {error}") from error
