"""The end of a provisioning says what is left to the user."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rdna1.measure.smoke import SmokeReport
from rdna1.report.provision import ProvisionReport, next_step, provision_text

MEASURED = SmokeReport(
    device=None,
    verdict="pass",
    interrupted=False,
    not_run=0,
    workers_lost=0,
    wall_seconds=1.0,
    cases=[],
)


REPORT = ProvisionReport(
    host="rack-1",
    stack="rocm-5.7",
    preflight=None,
    packages={},
    algorithms="all",
    notes=[],
    validation=MEASURED,
)


@pytest.mark.parametrize("reboot", [True, False])
@pytest.mark.parametrize("relogin", [True, False])
def test_a_reboot_and_a_login_are_asked_for_where_they_are_due(reboot: bool, relogin: bool) -> None:
    report = replace(REPORT, reboot_required=reboot, relogin_required=relogin)
    text = provision_text(report, width=100, colour=False)
    assert ("reboot this machine" in text) == reboot
    assert ("log in again" in text) == relogin


def test_what_an_earlier_run_measured_is_told_with_its_date() -> None:
    report = replace(REPORT, earlier={"smoke": "2026-01-02 03:04"})
    text = " ".join(provision_text(report, width=80, colour=False).split())
    assert "measured smoke on 2026-01-02 03:04 UTC; nothing was changed since" in text
    assert "measured" not in provision_text(REPORT, width=80, colour=False)


ACTIVATE = "/etc/rdna1/rocm-5.7/activate.sh"


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({}, f"Next: work in the environment:  . {ACTIVATE}"),
        (
            {"relogin_required": True},
            f"Next: log in again, for the groups of the card; then:  . {ACTIVATE}",
        ),
        (
            {"relogin_required": True, "reboot_required": True},
            "Next: start the machine again, for its driver:  sudo reboot",
        ),
    ],
)
def test_the_last_line_is_the_one_command_for_what_is_next(
    changes: dict[str, bool], last: str
) -> None:
    report = replace(REPORT, **changes)
    first, second = next_step(report, ACTIVATE).splitlines()
    assert (first, second) == ("PASS rocm-5.7 is installed, 0 of 0 convolutions are right", last)


def test_after_a_failed_measurement_another_stack_is_looked_for() -> None:
    failed = replace(MEASURED, verdict="fail", not_run=2)
    first, second = next_step(replace(REPORT, validation=failed), ACTIVATE).splitlines()
    assert first == "FAIL rocm-5.7 is installed, 0 of 2 convolutions are right"
    assert second.endswith("rdna1-preflight advise")
