"""One envelope of several reports about equal cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult
from rdna1.measure.boundary.allowed import contradictory
from rdna1.measure.boundary.report import RouteReport
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import Envelope, EnvelopeError, differences, envelope_of, routes_of


class Combined(NamedTuple):
    """What reports allow together, and the cases whose outcomes contradict each other."""

    envelope: Envelope
    contradictory: list[ConvCase]


class _Place(msgspec.Struct):
    measured: Conditions | None = None


class _Case(CaseResult, frozen=True):
    purpose: str = ""


class _Cases(_Place):
    parts: list[_Place] = []
    cases: list[_Case] = []
    routes: list[RouteReport] = []


def combined(reports: Sequence[msgspec.Struct]) -> Combined:
    """Make one envelope of reports of any kind.

    Raises:
        EnvelopeError: they were not measured in equal conditions, or nothing passed.
    """
    read = [msgspec.json.decode(msgspec.json.encode(each), type=_Cases) for each in reports]
    places = [place.measured for each in read for place in (each.parts or [each])]
    measured = [place for place in places if place is not None]
    if len(measured) < len(places) or not measured:
        raise EnvelopeError("a report does not say where it was measured, as smoke does not")
    for other in measured[1:]:
        found = differences(measured[0], other)
        if found:
            raise EnvelopeError(f"the reports are of different conditions: {'; '.join(found)}")
    results = [result for each in read for result in each.cases]
    routes = routes_of([route for each in read for route in each.routes])
    envelope = envelope_of(
        results,
        measured[0],
        tries_less=any(result.purpose == "classes" for result in results),
    )
    envelope = msgspec.structs.replace(envelope, routes=routes)
    return Combined(envelope, contradictory(results))
