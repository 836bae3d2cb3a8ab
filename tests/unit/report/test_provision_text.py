"""The end of a provisioning says what is left to the user."""

from __future__ import annotations

import pytest

from rdna1.conv.smoke import SmokeReport
from rdna1.report.provision import ProvisionReport, provision_text

MEASURED = SmokeReport(
    device=None,
    verdict="pass",
    interrupted=False,
    not_run=0,
    workers_lost=0,
    wall_seconds=1.0,
    cases=[],
)


@pytest.mark.parametrize("reboot", [True, False])
@pytest.mark.parametrize("relogin", [True, False])
def test_a_reboot_and_a_login_are_asked_for_where_they_are_due(reboot: bool, relogin: bool) -> None:
    report = ProvisionReport(
        host="rack-1",
        stack="rocm-5.7",
        preflight=None,
        packages={},
        algorithms="all",
        notes=[],
        validation=MEASURED,
        reboot_required=reboot,
        relogin_required=relogin,
    )
    text = provision_text(report, width=100, colour=False)
    assert ("reboot this machine" in text) == reboot
    assert ("log in again" in text) == relogin
