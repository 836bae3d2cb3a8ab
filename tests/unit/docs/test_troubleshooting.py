"""The page of symptoms leads to every check, and every failure has an example that it explains."""

from __future__ import annotations

import re

import pytest
import troubleshooting

from rdna1.catalog.failures import KnownFailure, explain, explain_machine, known_failures
from rdna1.preflight import CHECKS

INSTALLATION = known_failures()
MACHINE = known_failures("machine_failures.yml")


def test_every_check_is_named_by_a_symptom() -> None:
    named = {name for symptom in troubleshooting.symptoms() for name in symptom.checks}
    assert named == {check.id for check in CHECKS}


def explains(failure: KnownFailure, explained: str) -> bool:
    """Whether cause and remedy are those of a failure, names filled in."""
    said = explained.splitlines()[:2]
    texts = (f"Cause: {failure.cause}", f"Remedy: {failure.remedy}")
    patterns = [re.sub(r"\\\{\w+\\\}", ".+", re.escape(text)) for text in texts]
    return all(re.match(pattern, line) for pattern, line in zip(patterns, said, strict=True))


@pytest.mark.parametrize("failure", INSTALLATION, ids=lambda failure: failure.example[:60])
def test_a_failure_is_the_first_that_explains_its_example(failure: KnownFailure) -> None:
    assert explains(failure, explain(failure.example))


@pytest.mark.parametrize("failure", MACHINE, ids=lambda failure: failure.example[:60])
def test_a_failure_of_ansible_is_the_first_that_explains_its_example(
    failure: KnownFailure,
) -> None:
    assert explains(failure, explain_machine(failure.example))


def test_a_row_holds_example_cause_and_remedy() -> None:
    table = troubleshooting.failures_table().splitlines()
    assert len(table) == 2 + len(INSTALLATION)
    assert table[2].startswith("| `dpkg: error: failed to write: No space left on device` | a disk")
    assert all(row.replace("\\|", "").count("|") == 4 for row in table)
