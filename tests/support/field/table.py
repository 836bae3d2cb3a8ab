"""All cases, and the logs."""

from __future__ import annotations

from support.field import cards, containers, drivers, logs, other_gpus, packages, releases, starts
from support.field.case import Case, Log

CASES: list[Case] = [
    *cards.CASES,
    *drivers.CASES,
    *other_gpus.CASES,
    *releases.CASES,
    *containers.CASES,
    *packages.CASES,
    *starts.CASES,
]
LOGS: list[Log] = logs.LOGS
