"""All checks, in the order in which they are judged and shown."""

from __future__ import annotations

import difflib

from rdna1.preflight.checks import graphics, packages, system, variables
from rdna1.preflight.model import Check

CHECKS: tuple[Check, ...] = (
    system.architecture,
    system.os_release,
    system.glibc,
    graphics.card,
    graphics.kernel_driver,
    graphics.kfd,
    graphics.groups,
    system.python,
    system.disk_space,
    packages.apt_state,
    variables.find_enforce,
    packages.rocm_mixture,
)


class CheckIdError(Exception):
    """An id that no check has, or that of a check that cannot be ignored; one line."""


def find_check(check_id: str) -> Check:
    """The check of this id.

    Raises:
        CheckIdError: there is none; the message suggests the nearest.
    """
    checks = {check.id: check for check in CHECKS}
    if check_id not in checks:
        near = difflib.get_close_matches(check_id, checks, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(checks)}"
        raise CheckIdError(f"unknown check {check_id!r}: {hint}")
    return checks[check_id]
