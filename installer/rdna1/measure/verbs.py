"""The table of measurements: commands, renderings, schemas and what reads results follow from it.

A measurement has its report's type here. What else it has is found by its name, and imported only
where it is needed:

- ``rdna1.cli.validate.NAME``: the command, with ``add_to``;
- ``rdna1.report.NAME``: ``NAME_text``, ``NAME_junit`` and ``NAME_verdict``, the result in one line.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.head import Head
from rdna1.measure.smoke import SmokeReport
from rdna1.measure.sweep.report import SweepReport
from rdna1.measure.timing import TimingReport
from rdna1.measure.tune.report import TuneReport


class Verb(NamedTuple):
    """One measurement.

    Attributes:
        name: its subcommand, and the ``kind`` of its report.
        report: type of the report.
        compares: whether its cases ran under several environments: then no envelope and no page
            about a card can be made of them.
    """

    name: str
    report: type[Head]
    compares: bool = False


VERBS = (
    Verb("smoke", SmokeReport),
    Verb("boundary", BoundaryReport),
    Verb("timing", TimingReport),
    Verb("sweep", SweepReport),
    Verb("tune", TuneReport, compares=True),
)


class Reports(msgspec.Struct, frozen=True, kw_only=True):
    """Several results in one document.

    Attributes:
        reports: in the order in which they were given.
    """

    schema_version: Literal[1] = 1
    kind: Literal["reports"] = "reports"
    reports: list[SmokeReport | BoundaryReport | TimingReport | SweepReport | TuneReport]


def verb_of(report: Head) -> Verb:
    """Return the measurement that a report is of."""
    return next(verb for verb in VERBS if isinstance(report, verb.report))
