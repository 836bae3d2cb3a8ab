"""Measuring a machine: the programs, the files that a measurement depends on, its results."""

from __future__ import annotations

import re

from rdna1.plan.options import Part, Request

_SIMULATION = re.compile("sim:(.*)", re.DOTALL)


class MeasurementPlan(Part, frozen=True):
    """Where a measurement is made and what it leaves.

    Attributes:
        program: that measures.
        profile: script with the stack's variables.
        activate: script that enters the environment as well.
        reports: folder of the results.
        depends_on: packages, what every login gets, the stack's variables and environment, the
            rules of a simulation; a result holds as long as none of them changed.
        envelope: file with the limit.
        earlier_envelope: its content; empty where there is none.
        owner: of that file.
        group: of that file.
    """

    program: str
    profile: str
    activate: str
    reports: str
    depends_on: list[str]
    envelope: str
    earlier_envelope: str
    owner: int | str
    group: int | str


def measurement_plan(request: Request) -> MeasurementPlan:
    """Return where a measurement is made and what it leaves."""
    layout, found = request.layout, request.facts.envelopes or []
    simulation = _SIMULATION.match(request.options.validate_device)
    return MeasurementPlan(
        program=f"{request.prefix}/bin/rdna1-validate",
        profile=request.profile,
        activate=request.activate,
        reports=layout.reports,
        depends_on=[
            "/var/lib/dpkg/status",
            "/etc/environment",
            request.profile,
            request.prefix,
            *([simulation[1]] if simulation else []),
        ],
        envelope=layout.envelope,
        earlier_envelope=next((e.content for e in found if e.path == layout.envelope), ""),
        owner=request.user.uid,
        group=request.user.gid,
    )
