"""Tables of machines and of what one check says about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from rdna1.catalog.stacks import load_stack
from rdna1.preflight import Finding, assess, load_facts

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

UNREAD = "could not be read: /x: Permission denied"


class Row(NamedTuple):
    """One machine, given by what differs from one with nothing wrong, and the finding."""

    check: str
    case: str
    changes: Mapping[str, object]
    status: str
    words: tuple[str, ...]
    stack: str = "rocm-5.7"
    options: Mapping[str, str | bool] = {}


def unknown(name: str) -> dict[str, object]:
    """Changes that make one fact unknown; `UNREAD` is what a check then says."""
    return {name: None, f"unknown.{name}": "/x: Permission denied"}


def assert_row(row: Row, make_facts: MakeFacts) -> None:
    """The finding has the row's status and words, and a remedy where one is due."""
    finding = finding_of(row, make_facts)
    assert finding.status == row.status, finding
    text = "\n".join([finding.summary, *finding.evidence, finding.remedy])
    for words in row.words:
        assert words in text
    assert bool(finding.remedy) == (finding.status in ("warn", "fail")), finding


def finding_of(row: Row, make_facts: MakeFacts) -> Finding:
    """What the row's check finds on the row's machine."""
    facts = load_facts(make_facts(row.changes))
    options: Any = row.options
    report = assess(facts, load_stack(row.stack), **options)
    return next(finding for finding in report.checks if finding.id == row.check)
