from __future__ import annotations

import importlib
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rdna1.preflight import Finding, Report
from rdna1.report.fleet import (
    Assessed,
    FleetReport,
    HostResult,
    NotAssessed,
    fleet_refusal,
    fleet_report,
    fleet_text,
    group_findings,
)
from rdna1.report.json import to_json

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
# It has no types of its own.
jsonschema: Any = importlib.import_module("jsonschema")
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
CARD = Finding("card", "Card", "pass", "Navi 10", [], "", [])
NO_CARD = Finding("card", "Card", "fail", "no card", ["02:00.0: VGA"], "buy one", ["a/b#1"])
GROUPS = Finding("groups", "Groups", "warn", "not in render", ["ann"], "add ann", [])
SPACE = Finding("space", "Space", "fail", "disk full", ["/opt: 1 GiB"], "make room", [])
OLD = Finding("python", "Python", "ignored", "too old", [], "wait", [])
LATER = Finding("kfd", "KFD", "skip", "blocked by card", [], "", [])


def report(*checks: Finding) -> Report:
    statuses = {check.status for check in checks}
    verdict = "refuse" if "fail" in statuses else "warn" if "warn" in statuses else "pass"
    return msgspec.convert(
        {"stack": "rocm-5.7", "verdict": verdict, "checks": msgspec.to_builtins(checks)}, Report
    )


def assessed(*checks: Finding, strict: bool = False) -> Assessed:
    blocking = ("fail", "warn") if strict else ("fail",)
    return Assessed(report(*checks), [check.id for check in checks if check.status in blocking])


FLEET: dict[str, HostResult] = {
    "ready": assessed(CARD),
    "bare": assessed(NO_CARD, LATER, SPACE),
    "gone": NotAssessed(reachable=False, reason="no route to host"),
    "full": assessed(CARD, GROUPS, SPACE, OLD),
    "wary": assessed(CARD, GROUPS),
    "odd": NotAssessed(reachable=True, reason="no Python"),
}


def test_identical_findings_stand_once_with_their_hosts_worst_first() -> None:
    reports = {h: result.report for h, result in FLEET.items() if isinstance(result, Assessed)}
    assert [(group.finding, group.hosts) for group in group_findings(reports)] == [
        (SPACE, ["bare", "full"]),
        (NO_CARD, ["bare"]),
        (GROUPS, ["full", "wary"]),
        (OLD, ["full"]),
        (LATER, ["bare"]),
        (CARD, ["ready", "full", "wary"]),
    ]


@pytest.mark.parametrize("field", Finding.__struct_fields__)
def test_findings_with_another_remedy_stay_apart(field: str) -> None:
    """What was seen on a host may differ where the same is to be done about it."""
    other = {"status": "warn", "evidence": ["another"], "references": ["c/d#2"]}
    changed = msgspec.structs.replace(NO_CARD, **{field: other.get(field, "another")})
    groups = group_findings({"one": report(NO_CARD), "two": report(changed)})
    together = [["one", "two"]] if field in ("summary", "evidence") else [["one"], ["two"]]
    assert sorted(group.hosts for group in groups) == together


def test_evidence_is_kept_for_each_host() -> None:
    cards = [msgspec.structs.replace(NO_CARD, evidence=[f"PCI device {n}"]) for n in (1, 1, 2)]
    (group,) = group_findings({f"host{n}": report(card) for n, card in enumerate(cards)})
    assert [(v.hosts, v.evidence) for v in group.variants] == [
        (["host0", "host1"], ["PCI device 1"]),
        (["host2"], ["PCI device 2"]),
    ]
    assert group.summary == NO_CARD.summary


def test_hosts_come_worst_first_else_as_in_the_inventory() -> None:
    fleet = fleet_report(FLEET, judged_at=NOON)
    assert [(host.host, host.verdict) for host in fleet.hosts] == [
        ("bare", "refuse"),
        ("full", "refuse"),
        ("gone", "unreachable"),
        ("odd", "error"),
        ("wary", "warn"),
        ("ready", "pass"),
    ]
    assert fleet.hosts[0].blockers == ["card", "space"]
    assert (fleet.hosts[2].stack, fleet.hosts[2].reason) == (None, "no route to host")


@pytest.mark.parametrize(
    ("hosts", "verdict", "refusal"),
    [
        (["ready"], "pass", ""),
        (["ready", "wary"], "warn", ""),
        (["wary", "odd"], "incomplete", "1 of 2 hosts not assessed: odd (error)."),
        (
            ["gone", "full", "bare"],
            "refuse",
            (
                "2 of 3 hosts refused: full (space), bare (card, space). "
                "1 of 3 hosts not assessed: gone (unreachable)."
            ),
        ),
        ([], "pass", ""),
    ],
)
def test_a_fleet_is_as_good_as_its_worst_host(hosts: list[str], verdict: str, refusal: str) -> None:
    fleet = fleet_report({host: FLEET[host] for host in hosts}, judged_at=NOON)
    assert fleet.verdict == verdict
    assert fleet_refusal(fleet) == refusal


def test_warnings_refuse_a_host_where_they_were_asked_to() -> None:
    fleet = fleet_report({"strict": assessed(CARD, GROUPS, strict=True)}, judged_at=NOON)
    assert fleet.hosts[0].verdict == "refuse"
    assert fleet_refusal(fleet) == "1 of 1 hosts refused: strict (groups)."


def test_the_json_says_its_version_and_can_be_read_again() -> None:
    fleet = fleet_report(FLEET, judged_at=NOON)
    text = to_json(fleet)
    document = json.loads(text)
    assert document["schema_version"] == 1
    assert document["judged_at"] == "2026-11-23T12:00:00Z"
    assert document["groups"][0]["hosts"] == ["bare", "full"]
    assert msgspec.json.decode(text, type=FleetReport) == fleet


def test_the_json_fits_the_published_schema() -> None:
    schema = json.loads((SCHEMAS / "fleet.schema.json").read_text())
    document = json.loads(to_json(fleet_report(FLEET, judged_at=NOON)))
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(document)) == []
    assert not validator.is_valid(document | {"verdict": "maybe"})


def test_what_a_person_reads() -> None:
    assert fleet_text(fleet_report(FLEET, judged_at=NOON), width=60, colour=False) == (
        "host   verdict      because of\n"
        "bare   refuse       card, space\n"
        "full   refuse       space\n"
        "gone   unreachable  no route to host\n"
        "odd    error        no Python\n"
        "wary   warn\n"
        "ready  pass\n"
        "\n"
        "6 hosts: 2 refused, 1 unreachable, 1 not assessed, 1 with\n"
        "warnings, 1 ready\n"
    )


def test_host_names_cannot_steer_the_terminal_or_rich() -> None:
    hosts: dict[str, HostResult] = {
        "\x1b[2J[red]": NotAssessed(reachable=False, reason="[bold]a\nb")
    }
    text = fleet_text(fleet_report(hosts, judged_at=NOON), width=80, colour=False)
    assert "\\x1b[2J[red]  unreachable  [bold]a\\nb\n" in text
