"""Integration tests and Molecule scenarios as one queue for all workers, the longest first.

The tests of a file share a machine or a measurement, so they stay together, in the order of the
file, and so do the files of a folder that is a package; a scenario is a machine of its own. Left to
the alphabet, the last of them would run alone.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[2]
# What the files and scenarios took last time on this machine, else on the one that it was kept of.
MEASURED = ROOT / ".cache" / "tests" / "seconds.json"
SECONDS = Path(__file__).with_name("seconds.json")
SCENARIOS = "integration/molecule/"
NEW = 120.0

_taken: defaultdict[str, float] = defaultdict(float)


def group(nodeid: str) -> str:
    """Return what is run by one worker as a whole: a file, a package of files, or one scenario."""
    if SCENARIOS in nodeid:
        return nodeid
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if (ROOT / folder / "__init__.py").exists() else file


def known_seconds() -> dict[str, float]:
    """Return what each group took last time."""
    file = MEASURED if MEASURED.exists() else SECONDS
    return dict(json.loads(file.read_text(encoding="utf-8")))


class _LongestFirst(LoadScopeScheduling):
    """Groups in the order of the collection, which is that of their length."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Return the scheduler of this folder."""
    return _LongestFirst(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort groups by what they took; one that is new may be long."""
    seconds = known_seconds()
    items.sort(key=lambda item: -seconds.get(group(item.nodeid), NEW))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what a group took."""
    _taken[group(report.nodeid)] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the groups took, and keep it for the next run."""
    longest = sorted(_taken.items(), key=lambda item: -item[1])
    taken = {name: round(seconds, 1) for name, seconds in longest}
    MEASURED.parent.mkdir(parents=True, exist_ok=True)
    kept = known_seconds() | taken
    # Whole at any moment: another run in this checkout may read it now.
    draft = MEASURED.with_name(f"{MEASURED.name}.{os.getpid()}")
    draft.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(MEASURED)
    if taken:
        terminalreporter.section("seconds of files and scenarios")
        for name, seconds in taken.items():
            terminalreporter.write_line(f"{seconds:7.1f} {name}")
