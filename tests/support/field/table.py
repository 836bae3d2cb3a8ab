"""All cases, and the logs."""

from __future__ import annotations

from support.field import cards, containers, logs, packages, releases, starts
from support.field.case import Case, Log

CASES: list[Case] = [
    *cards.CASES,
    *releases.CASES,
    *containers.CASES,
    *packages.CASES,
    *starts.CASES,
]
LOGS: list[Log] = logs.LOGS
