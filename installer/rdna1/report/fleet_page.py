"""A page about a whole fleet.

Needs jinja2, which ansible-core brings along: this module is for the controller alone.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

import jinja2
import msgspec
from markupsafe import Markup

from rdna1.preflight.model import Status
from rdna1.report.console import printable
from rdna1.report.fleet import STATUSES, FindingGroup, FleetReport, fleet_counts

_TEMPLATE: Final = "fleet.html.j2"
_HEADINGS: Final[dict[Status, str]] = {
    "fail": "Failures",
    "warn": "Warnings",
    "ignored": "Ignored on request",
    "skip": "Skipped",
    "pass": "Passed",
}
# What a host's line names; the others need nobody's attention.
_NAMED: Final = ("fail", "warn", "ignored")
_ISSUE: Final = re.compile(r"([\w.-]+/[\w.-]+)#(\d+)", re.ASCII)


class _Group(msgspec.Struct, frozen=True):
    """A group of findings on the page, with the number of its anchor."""

    number: int
    group: FindingGroup


def fleet_html(report: FleetReport) -> str:
    """Write a page that needs nothing but itself: no script, no request, no font.

    Args:
        report: of the fleet. None of its texts is trusted: markup and control characters are
            shown as such.

    Returns:
        An HTML document: hosts first, then findings, worst first.
    """
    groups = [_Group(number, group) for number, group in enumerate(report.groups, 1)]
    named: dict[str, list[_Group]] = {host.host: [] for host in report.hosts}
    for group in groups:
        if group.group.finding.status in _NAMED:
            for host in group.group.hosts:
                named[host].append(group)
    return _template().render(
        report=report,
        counts=fleet_counts(report),
        named=named,
        sections=[
            (status, _HEADINGS[status], found)
            for status in STATUSES
            if (found := [g for g in groups if g.group.finding.status == status])
        ],
        link=_link,
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    source = files("rdna1.report").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source)


def _shown(value: object) -> object:
    """Return a value on the page; what a macro of the template made is markup already."""
    return value if isinstance(value, Markup) else printable(str(value))


def _link(reference: str) -> str:
    """Return the address behind a reference, empty where it is none that a browser should open."""
    if reference.startswith(("https://", "http://")):
        return reference
    issue = _ISSUE.fullmatch(reference)
    return f"https://github.com/{issue[1]}/issues/{issue[2]}" if issue else ""
