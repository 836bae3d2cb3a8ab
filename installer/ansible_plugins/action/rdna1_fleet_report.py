"""Sum up what ``rdna1_preflight`` found on all hosts of a play; fail once if any is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from rdna1.cli.action import ReportAction, terminal_style, write
from rdna1.report.fleet import (
    Assessed,
    HostResult,
    NotAssessed,
    fleet_refusal,
    fleet_report,
    fleet_text,
)
from rdna1.report.fleet_page import fleet_html
from rdna1.report.json import to_json

# Under this name the role preflight registers what its action returned. A registered result
# ends with the run, where a fact may come from the cache of an earlier one.
RESULT = "preflight_result"


class ActionModule(ReportAction):
    """Gathers the assessments, writes one JSON and one HTML page, prints a table."""

    ARGUMENTS: ClassVar = {"destination": {"type": "str", "required": True}}

    def report(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Sum up; see `ReportAction.report`."""
        destination = Path(arguments["destination"])
        report = fleet_report(
            {
                str(host): _result(variables["hostvars"][host].get(RESULT, {}))
                for host in variables["ansible_play_hosts_all"]
            },
            judged_at=datetime.now(timezone.utc),
        )
        page = destination / "fleet.html"
        write(to_json(report), destination / "fleet.json")
        write(fleet_html(report), page)
        style = terminal_style()
        text = fleet_text(report, width=style.width, colour=style.colour)
        Display().display(f"\n{text}\nPage: {page}")
        refusal = fleet_refusal(report)
        if refusal:
            raise AnsibleActionFail(
                f"{refusal} Nothing was changed. {page} groups the findings with their remedies."
            )
        return {"msg": f"verdict: {report.verdict}"}


def _result(registered: Mapping[str, Any]) -> HostResult:
    """Return what became of a host, from what its task returned."""
    if "report" in registered:
        assessed = {name: registered[name] for name in ("report", "blockers")}
        return msgspec.json.decode(json.dumps(assessed), type=Assessed)
    return NotAssessed(
        reachable=not registered.get("unreachable", False),
        reason=str(registered.get("msg", "it failed before it could be assessed")),
    )
