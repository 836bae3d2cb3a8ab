"""Routes that are searched in addition to MIOpen; the supervisor is a double."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rdna1.cli.validate.envelope_file import write_envelope
from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult
from rdna1.guard import envelope as guard
from rdna1.measure.boundary import run
from rdna1.measure.boundary.report import BoundaryReport, RouteName
from rdna1.measure.boundary.routes import VARIABLES, search_route
from rdna1.measure.boundary.run import BoundaryPlan, run_boundary
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import Envelope, measured_envelope
from rdna1.measure.envelope_merge import combined
from rdna1.report.boundary import boundary_text

# MIOpen hangs above 14 pixels; without it im2col above so many bytes.
_MOST_BYTES = 40_000
ROUTES: tuple[RouteName, ...] = ("bypass", "matmul")


class Supervisor:
    """Answers in a supervisor's place, by the variables of its workers."""

    device = None
    resets: tuple[str, ...] = ()
    kernel_log_unavailable = ""
    hurried: frozenset[ConvCase] = frozenset()
    interrupt_at: RouteName | None = None

    def __init__(
        self, *_: object, variables: Mapping[str, str] | None = None, **__: object
    ) -> None:
        self._route = next((name for name in ROUTES if VARIABLES[name] == variables), None)
        self.workers_lost = 0

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, case: ConvCase, *, patient: bool = False) -> CaseResult:  # noqa: ARG002
        if self._route and self._route == self.interrupt_at:
            raise KeyboardInterrupt
        assert self._route != "matmul" or case.kernel_size == (1, 1)
        hangs = {
            None: max(case.h, case.w) > 14,
            "bypass": case.workspace_bytes > _MOST_BYTES,
            "matmul": False,
        }[self._route]
        self.workers_lost += hangs
        return CaseResult(case, "hang" if hangs else "pass", 1.0)


@pytest.fixture(autouse=True)
def double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "Supervisor", Supervisor)


def search(journal: Path | None = None, max_hangs: int = 30) -> BoundaryReport:
    plan = BoundaryPlan("sim:rules.yml", 1.0, 32, max_hangs, "quick", journal, ROUTES)
    return run_boundary(plan, lambda _: None)


def test_routes_have_limits_of_their_own_in_the_envelope(tmp_path: Path) -> None:
    report = search()
    assert report.complete and [each.stopped for each in report.routes] == ["", ""]
    found = measured_envelope(report)
    assert found.max_side == 14
    write_envelope(found, tmp_path / "envelope.json")
    read = guard.load(tmp_path / "envelope.json")
    assert read.bypass and read.bypass.max_workspace_bytes
    assert 0 < read.bypass.max_workspace_bytes <= _MOST_BYTES
    assert read.matmul and read.matmul.max_side


def test_hangs_of_routes_count_and_end_their_search() -> None:
    report = search()
    hangs = sum(
        each.outcome == "hang"
        for cases in (report.cases, *(route.cases for route in report.routes))
        for each in cases
    )
    assert report.workers_lost == hangs > report.routes[0].workers_lost > 0


@pytest.mark.parametrize("max_hangs", [0, 1])
def test_a_route_is_searched_with_the_hangs_that_are_left(max_hangs: int) -> None:
    supervisor: Any = Supervisor(variables=VARIABLES["bypass"])
    found = search_route(
        "bypass",
        supervisor,
        max_side=32,
        max_hangs=max_hangs,
        form="quick",
        on_step=lambda _: None,
    )
    assert found.stopped == f"the {max_hangs} hangs that are left are used up"
    assert found.workers_lost == max_hangs
    # What passed before is known, and nothing else.
    assert (found.max_side is None) == (not found.cases)


def test_an_interrupted_route_keeps_the_search_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "interrupt_at", "matmul")
    journal = tmp_path / "journal"
    stopped = search(journal)
    assert stopped.was_interrupted and journal.exists()
    assert [each.stopped for each in stopped.routes] == ["", "interrupted"]
    monkeypatch.setattr(Supervisor, "interrupt_at", None)
    whole = search(journal)
    assert whole.complete and not journal.exists()
    assert whole.cases == stopped.cases
    assert whole.workers_lost == search().workers_lost


def test_text_says_what_is_safe_by_each_route() -> None:
    text = " ".join(boundary_text(search(), width=80, colour=False).split())
    assert "Route bypass (without MIOpen): safe are sides up to" in text
    assert "Route matmul (as matrix products): safe are sides up to " in text


def test_reports_that_are_combined_keep_routes() -> None:
    report = search()
    assert combined([report]).envelope.routes == measured_envelope(report).routes


def test_a_route_that_was_measured_again_replaces_that_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "envelope.json"
    here = Conditions(device="AMD Radeon RX 5600 XT")
    earlier = Envelope(max_side=42, max_workspace_bytes=None, source="measured", measured=here)
    pair = {"max_side": 7, "max_workspace_bytes": None}
    content = json.loads(msgspec.json.encode(earlier))
    file.write_text(json.dumps(content | {"routes": {"bypass": pair, "matmul": pair}}))
    report = msgspec.structs.replace(search(), measured=here)
    one = msgspec.structs.replace(report, routes=report.routes[:1])
    write_envelope(measured_envelope(one), file)
    read = guard.load(file)
    assert read.matmul == guard.Pair(7, None)
    assert read.bypass and read.bypass.max_side != 7
