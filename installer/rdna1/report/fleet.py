"""A whole fleet: the verdict of each host, and findings with one remedy once with their hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from rich.table import Table
from rich.text import Text

from rdna1.preflight import Finding, Report
from rdna1.preflight.model import Status
from rdna1.report.console import as_text, printable

HostVerdict = Literal["refuse", "unreachable", "error", "warn", "pass"]
FleetVerdict = Literal["refuse", "incomplete", "warn", "pass"]

# Worst first: the order of hosts and findings in every report about a fleet.
HOST_VERDICTS: Final[tuple[HostVerdict, ...]] = ("refuse", "unreachable", "error", "warn", "pass")
STATUSES: Final[tuple[Status, ...]] = ("fail", "warn", "ignored", "skip", "pass")

_COUNTED: Final[dict[HostVerdict, str]] = {
    "refuse": "refused",
    "unreachable": "unreachable",
    "error": "not assessed",
    "warn": "with warnings",
    "pass": "ready",
}
_STYLES: Final[dict[HostVerdict, str]] = {
    "refuse": "bold red",
    "unreachable": "magenta",
    "error": "magenta",
    "warn": "yellow",
    "pass": "green",
}


class Assessed(msgspec.Struct, frozen=True):
    """A host that was assessed.

    Attributes:
        report: about the host.
        blockers: ids of the checks that refuse it: its failures, and its warnings as well
            where they were asked to count.
    """

    report: Report
    blockers: list[str]


class NotAssessed(msgspec.Struct, frozen=True):
    """A host that could not be assessed.

    Attributes:
        reachable: whether the connection was made.
        reason: what went wrong.
    """

    reachable: bool
    reason: str


HostResult = Assessed | NotAssessed


class FleetHost(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the summary.

    Attributes:
        host: its name in the inventory.
        verdict: ``refuse`` where there are blockers; ``error`` is a host that was reached and
            could not be assessed.
        stack: what it was assessed against, None where it was not assessed.
        blockers: ids of the checks that refuse it.
        reason: why it was not assessed; empty where it was.
    """

    host: str
    verdict: HostVerdict
    stack: str | None
    blockers: list[str]
    reason: str


class Variant(msgspec.Struct, frozen=True):
    """What a finding says of some of its hosts."""

    summary: str
    evidence: list[str]
    hosts: list[str]


class FindingGroup(msgspec.Struct, frozen=True):
    """A finding, and the hosts where the same is to be done about it.

    Attributes:
        finding: of the first host.
        hosts: all of them.
        variants: what differs, with the hosts where it is the same to the letter.
    """

    finding: Finding
    hosts: list[str]
    variants: list[Variant]

    @property
    def summary(self) -> str:
        """The sentence that holds for all hosts, empty where theirs differ."""
        summaries = {variant.summary for variant in self.variants}
        return self.finding.summary if len(summaries) == 1 else ""


class FleetReport(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet after preflight.

    Attributes:
        schema_version: of this document.
        judged_at: when the report was made, with its time zone.
        verdict: ``incomplete`` where no host is refused and some could not be assessed.
        hosts: worst first, else in the order of the inventory.
        groups: worst first, then those of the most hosts, then in the order of the checks.
    """

    schema_version: Literal[1] = 1
    judged_at: Annotated[datetime, msgspec.Meta(tz=True)]
    verdict: FleetVerdict
    hosts: list[FleetHost]
    groups: list[FindingGroup]


def fleet_report(results: Mapping[str, HostResult], *, judged_at: datetime) -> FleetReport:
    """Sum up a fleet.

    Args:
        results: what became of each host, in the order of the inventory.
        judged_at: the time to put on the report, with its time zone.
    """
    hosts = sorted(
        (_summary(host, result) for host, result in results.items()),
        key=lambda host: HOST_VERDICTS.index(host.verdict),
    )
    reports = {
        host: result.report for host, result in results.items() if isinstance(result, Assessed)
    }
    return FleetReport(
        judged_at=judged_at,
        verdict=_worst(hosts),
        hosts=hosts,
        groups=group_findings(reports),
    )


def group_findings(reports: Mapping[str, Report]) -> list[FindingGroup]:
    """Put findings of several hosts together about which the same is to be done.

    Args:
        reports: of the hosts, in the order in which a group shall list them.

    Returns:
        Every finding of every report once; the order is that of `FleetReport`. Skipped checks are
        together where the reason is the same.
    """
    alike: dict[tuple[str, ...], dict[str, Finding]] = {}
    order: dict[str, int] = {}
    for host, report in reports.items():
        for finding in report.checks:
            reason = finding.summary if finding.status == "skip" else ""
            key = (finding.id, finding.title, finding.status, finding.remedy, reason)
            alike.setdefault((*key, *finding.references), {})[host] = finding
            order.setdefault(finding.id, len(order))
    groups = [_group(findings) for findings in alike.values()]
    return sorted(
        groups,
        key=lambda group: (
            STATUSES.index(group.finding.status),
            -len(group.hosts),
            order[group.finding.id],
        ),
    )


def _group(findings: Mapping[str, Finding]) -> FindingGroup:
    """Return one entry for hosts whose findings have one remedy."""
    hosts: dict[tuple[str, ...], list[str]] = {}
    for host, finding in findings.items():
        hosts.setdefault((finding.summary, *finding.evidence), []).append(host)
    variants = [Variant(text, lines, names) for (text, *lines), names in hosts.items()]
    return FindingGroup(next(iter(findings.values())), list(findings), variants)


def fleet_counts(report: FleetReport) -> str:
    """Return how many hosts have which verdict, in one line."""
    counted = Counter(host.verdict for host in report.hosts)
    return ", ".join(f"{counted[v]} {_COUNTED[v]}" for v in HOST_VERDICTS if counted[v])


def fleet_text(report: FleetReport, *, width: int, colour: bool) -> str:
    """Write the summary of the hosts as text.

    Args:
        report: of the fleet.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.

    Returns:
        One row a host: name, verdict, the checks that refuse it or why it was not assessed;
        counts at the end. Control characters are shown escaped.
    """
    table = Table(box=None, pad_edge=False)
    for title in ("host", "verdict", "because of"):
        table.add_column(title, overflow="fold")
    for host in report.hosts:
        table.add_row(
            Text(printable(host.host)),
            Text(host.verdict, _STYLES[host.verdict]),
            Text(printable(host.reason or ", ".join(host.blockers))),
        )
    counts = f"{len(report.hosts)} hosts: {fleet_counts(report)}"
    return as_text(table, "", Text(counts, "bold"), width=width, colour=colour)


def fleet_refusal(report: FleetReport) -> str:
    """Say in a few sentences which hosts are refused or not assessed, and why.

    Returns:
        An empty text where every host was assessed and none is refused.
    """
    refused = [
        f"{host.host} ({', '.join(host.blockers)})"
        for host in report.hosts
        if host.verdict == "refuse"
    ]
    missing = [
        f"{host.host} ({host.verdict})"
        for host in report.hosts
        if host.verdict in ("unreachable", "error")
    ]
    total = len(report.hosts)
    sentences = [
        f"{len(refused)} of {total} hosts refused: {', '.join(refused)}." if refused else "",
        f"{len(missing)} of {total} hosts not assessed: {', '.join(missing)}." if missing else "",
    ]
    return " ".join(filter(None, sentences))


def _summary(host: str, result: HostResult) -> FleetHost:
    if isinstance(result, NotAssessed):
        verdict: HostVerdict = "error" if result.reachable else "unreachable"
        return FleetHost(host=host, verdict=verdict, stack=None, blockers=[], reason=result.reason)
    return FleetHost(
        host=host,
        verdict="refuse" if result.blockers else result.report.verdict,
        stack=result.report.stack,
        blockers=result.blockers,
        reason="",
    )


def _worst(hosts: Iterable[FleetHost]) -> FleetVerdict:
    verdicts = {host.verdict for host in hosts}
    if "refuse" in verdicts:
        return "refuse"
    if verdicts & {"unreachable", "error"}:
        return "incomplete"
    return "warn" if "warn" in verdicts else "pass"
