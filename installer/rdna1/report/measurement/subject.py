"""What is common to the reports of all subcommands, and which of them are about one device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import RIGHT, CaseResult, DeviceInfo
from rdna1.measure.boundary.report import BoundaryResult, Purpose
from rdna1.measure.conditions import Conditions


class MeasuredCase(CaseResult, frozen=True, kw_only=True):
    """A case of any report.

    Attributes:
        purpose: why a search ran it, None outside a search.
    """

    purpose: Purpose | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how cases were run; the attributes are those of the reports."""

    device: DeviceInfo | None = None
    measured: Conditions | None = None
    stopped: str = ""
    workers_lost: int = 0
    wall_seconds: float = 0.0
    resets: list[str] = []


class Measurement(Place, frozen=True, kw_only=True):
    """A report, as far as the page shows it. It is read from the JSON form of any kind of report.

    Attributes:
        kind: the subcommand.
        interrupted: whether the user stopped it.
        not_run: number of cases that were planned and not run.
        result: of a search for the boundary.
        parts: the shards of a sweep, which may have run on several machines.
        cases: in the order of the report.
    """

    kind: str
    interrupted: bool = False
    not_run: int = 0
    result: BoundaryResult | None = None
    parts: list[Place] = []
    cases: list[MeasuredCase] = []

    @property
    def places(self) -> Sequence[Place]:
        """Where the cases ran: the machines of a sweep's shards, else the one machine."""
        return self.parts or [self]

    @property
    def unfinished(self) -> str:
        """Why not everything was run, empty when it was."""
        reasons = [place.stopped for place in self.places if place.stopped]
        if self.interrupted:
            reasons.append("interrupted")
        if self.not_run:
            reasons.append(f"{self.not_run} cases were not run")
        return "; ".join(dict.fromkeys(reasons))


class Subject(msgspec.Struct, frozen=True):
    """Everything that was measured on one device.

    Attributes:
        measurements: in the order in which they were given.
        documents: the JSON form of each.
    """

    measurements: list[Measurement]
    documents: list[bytes]

    @property
    def places(self) -> list[Place]:
        """Where all of it was run."""
        return [place for each in self.measurements for place in each.places]

    @property
    def device(self) -> DeviceInfo | None:
        """The first device that answered."""
        return next((place.device for place in self.places if place.device), None)

    @property
    def cases(self) -> list[MeasuredCase]:
        """All cases."""
        return [case for each in self.measurements for case in each.cases]

    @property
    def search(self) -> Measurement | None:
        """The last search for the boundary."""
        return next((each for each in reversed(self.measurements) if each.result), None)

    @property
    def simulated(self) -> bool:
        """Whether a rule file stood in for a card."""
        return bool(self.device and self.device.type == "sim")

    @property
    def is_amd(self) -> bool:
        """Whether it is an AMD card, or stands for one."""
        return self.simulated or bool(self.device and self.device.hip)


def subjects(reports: Iterable[msgspec.Struct]) -> list[Subject]:
    """Put the reports about one device together, in the order of their first ones."""
    found: dict[Any, Subject] = {}
    for report in reports:
        document = msgspec.json.encode(report)
        measurement = msgspec.json.decode(document, type=Measurement)
        subject = found.setdefault(_identity(measurement), Subject([], []))
        subject.measurements.append(measurement)
        subject.documents.append(document)
    return list(found.values())


def is_right(result: CaseResult) -> bool:
    """Return whether a case gave the right result."""
    return result.outcome in RIGHT


def square(case: ConvCase) -> bool:
    """Return whether a case is two-dimensional with a map as high as wide."""
    return case.dims == 2 and case.h == case.w


def _identity(measurement: Measurement) -> frozenset[Any]:
    """Return what tells devices apart; how the device was asked for does not."""
    return frozenset(
        (device.type, device.name, device.gfx_target, device.torch) if device else None
        for device in (place.device for place in measurement.places)
    )
