"""The end of a provisioning: what was assessed, installed and measured on one machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from rich.table import Table
from rich.text import Text

from rdna1.conv.result import RIGHT
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.smoke import SmokeReport
from rdna1.preflight import Report
from rdna1.report.console import as_text, printable
from rdna1.report.smoke import results_table, smoke_advice

_STYLES: Final = {
    "pass": "green",
    "warn": "yellow",
    "refuse": "bold red",
    "fail": "bold red",
}


class ProvisionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One machine after a provisioning.

    Attributes:
        host: its name in the inventory.
        stack: what it was provisioned with.
        preflight: the assessment, None where preflight was left out.
        packages: name to version of the stack's packages that are installed.
        algorithms: which of MIOpen's algorithms the profile script leaves, and what is known of it.
        notes: what does not work with the Python of the environment.
        reboot_required: whether something acts only after the next boot.
        relogin_required: whether users got groups that only their next login has.
        validation: what the smoke test measured.
        boundary: what the search for the limit measured, None where it was left out.
        earlier: name to date (UTC) of the measurements that were made in an earlier run, as nothing
            was changed since.
        limit: what is known of the limit, in one line.
    """

    schema_version: Literal[1] = 1
    host: str
    stack: str
    preflight: Report | None
    packages: dict[str, str]
    algorithms: str
    notes: list[str]
    validation: SmokeReport
    boundary: BoundaryReport | None = None
    earlier: dict[str, str] = {}
    limit: str = ""
    reboot_required: bool = False
    relogin_required: bool = False


def provision_text(report: ProvisionReport, *, width: int, colour: bool) -> str:
    """Write a report as text: verdict of preflight, versions, measured layers.

    Args:
        report: of one machine.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
    """
    summary = Table.grid(padding=(0, 2, 0, 0))
    summary.add_row("preflight", _preflight(report.preflight))
    for name, version in report.packages.items():
        summary.add_row("installed", Text(f"{name} {version}"))
    summary.add_row("MIOpen", Text(report.algorithms))
    device = report.validation.device
    if device:
        summary.add_row("PyTorch", Text(f"{device.torch} on {device.type} ({device.name})"))
    for note in report.notes:
        summary.add_row("note", Text(note, "yellow"))
    summary.add_row("validation", _validation(report.validation))
    if report.earlier:
        summary.add_row("measured", Text(_earlier(report.earlier)))
    if report.limit:
        summary.add_row("limit", Text(printable(report.limit)))
    if report.reboot_required:
        summary.add_row("to do", Text("reboot this machine, which changes its driver", "yellow"))
    if report.relogin_required:
        summary.add_row("to do", Text("log in again, for the groups of the card", "yellow"))
    return as_text(
        Text(f"{report.host}: {report.stack}", "bold"),
        summary,
        "",
        results_table(report.validation.cases),
        width=width,
        colour=colour,
    )


def next_step(report: ProvisionReport, activate: str) -> str:
    """Return the verdict, what to do next, and the command for it.

    Args:
        report: of one machine.
        activate: script that enters the environment.
    """
    cases = report.validation.cases
    right = sum(result.outcome in RIGHT for result in cases)
    asked = len(cases) + report.validation.not_run
    installed = f"{report.stack} is installed, {right} of {asked} convolutions are right"
    enter = f". {activate}"
    if report.validation.verdict == "fail":
        return (
            f"FAIL {installed}\nNext: find a stack that fits this machine:  rdna1-preflight advise"
        )
    todo = "work in the environment"
    if report.reboot_required:
        todo, enter = "start the machine again, for its driver", "sudo reboot"
    elif report.relogin_required:
        todo = "log in again, for the groups of the card; then"
    return f"PASS {installed}\nNext: {todo}:  {enter}"


def _preflight(report: Report | None) -> Text:
    if report is None:
        return Text("left out", "yellow")
    counted = Counter(finding.status for finding in report.checks)
    counts = ", ".join(f"{number} {status}" for status, number in counted.items())
    ignored = [finding.id for finding in report.checks if finding.status == "ignored"]
    if ignored:
        counts += f": {', '.join(ignored)}"
    return Text.assemble((report.verdict, _STYLES[report.verdict]), f" ({counts})")


def _earlier(dates: Mapping[str, str]) -> str:
    told = ", ".join(f"{name} on {date} UTC" for name, date in dates.items())
    return f"{told}; nothing was changed since (validate_again=true measures again)"


def _validation(report: SmokeReport) -> Text:
    passed = sum(result.outcome in RIGHT for result in report.cases)
    return Text.assemble(
        (report.verdict, _STYLES[report.verdict]),
        f" ({passed} of {len(report.cases) + report.not_run} convolutions passed, "
        f"{report.workers_lost} workers lost, {report.wall_seconds:.1f} s)",
        (f"; {advice}" if (advice := smoke_advice(report)) else "", "yellow"),
    )
