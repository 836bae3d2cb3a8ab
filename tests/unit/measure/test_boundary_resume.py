"""A search that was stopped goes on from its journal; the supervisor is a double."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult
from rdna1.measure import journal
from rdna1.measure.boundary import run
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.boundary.run import BoundaryPlan, run_boundary
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import EnvelopeError, allows, envelope_of
from rdna1.measure.journal import STOPPED_MACHINE, JournalError
from support.convolutions import losses
from support.rules import LAYERS


class KilledError(BaseException):
    """What a process does not survive."""


class Card:
    """Answers in a supervisor's place, and counts.

    Attributes:
        done: cases that were run.
        stop_at: the number of the case at which something happens.
        stop: what happens.
        patient: cases that were given the full timeout.
        seconds: that each takes.
        limit: side above which all hang.
    """

    def __init__(self) -> None:
        self.done: list[ConvCase] = []
        self.stop_at = 0
        self.stop: BaseException = KeyboardInterrupt()
        self.patient: list[ConvCase] = []
        self.seconds = 1.0
        self.limit = 14

    def supervisor(self, *_: object, **__: object) -> Supervisor:
        return Supervisor(self)

    def run(self, case: ConvCase) -> CaseResult:
        self.done.append(case)
        if len(self.done) == self.stop_at:
            raise self.stop
        return CaseResult(
            case, "hang" if max(case.h, case.w) > self.limit else "pass", self.seconds
        )


class Supervisor:
    """The double, as far as a search uses it."""

    device = None
    resets: tuple[str, ...] = ()
    kernel_log_unavailable = ""
    hurried: frozenset[ConvCase] = frozenset()

    def __init__(self, card: Card) -> None:
        self._card = card
        self.workers_lost = 0

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, case: ConvCase, *, patient: bool = False) -> CaseResult:
        self._card.patient += [case] if patient else []
        result = self._card.run(case)
        self.workers_lost += result.outcome == "hang"
        return result


def fails(case: ConvCase) -> bool:
    return max(case.h, case.w) > 14


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    double = Card()
    monkeypatch.setattr(run, "Supervisor", double.supervisor)
    return double


def search(path: Path | None, max_hangs: int = 12, max_side: int = 32) -> BoundaryReport:
    plan = BoundaryPlan("sim:rules.yml", 1.0, max_side, max_hangs, "quick", path)
    return run_boundary(plan, lambda _: None)


@pytest.mark.parametrize("stop_at", [1, 3, 6, 20, 40])
def test_after_ctrl_c_only_the_rest_is_run(card: Card, tmp_path: Path, stop_at: int) -> None:
    whole = search(None)
    file = tmp_path / "boundary.json.journal"
    card.done, card.stop_at = [], stop_at
    stopped = search(file)
    assert (stopped.stopped, len(stopped.cases)) == ("interrupted", stop_at - 1)
    assert file.exists()
    card.done, card.stop_at = [], 0
    resumed = search(file)
    assert resumed.complete
    assert resumed.cases == whole.cases
    assert len(card.done) == len(whole.cases) - (stop_at - 1)
    assert resumed.workers_lost == whole.workers_lost == losses(whole.cases)
    assert not file.exists()


def killed(card: Card, file: Path, at: int, max_side: int = 32) -> ConvCase:
    """Run a search whose process is killed during a case."""
    card.done, card.stop_at, card.stop = [], at, KilledError()
    with pytest.raises(KilledError):
        search(file, max_side=max_side)
    last = card.done[-1]
    card.done, card.stop_at = [], 0
    return last


def test_a_case_that_stopped_the_machine_counts_as_a_hang(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "journal"
    last = killed(card, file, 5)
    monkeypatch.setattr(journal, "_boot", lambda: "another start of the machine")
    report = search(file)
    assert last not in card.done
    found = next(each for each in report.cases if each.case == last)
    assert (found.outcome, found.detail) == ("hang", STOPPED_MACHINE)


def test_a_process_that_was_killed_runs_its_case_again(card: Card, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    last = killed(card, file, 5)
    assert search(file).cases == search(None).cases
    assert card.done[0] == last


def test_the_hangs_of_earlier_sessions_count(card: Card, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    whole = search(None)
    hangs = [number for number, each in enumerate(whole.cases, 1) if each.outcome == "hang"]
    killed(card, file, hangs[1] + 1)
    report = search(file, max_hangs=2)
    assert card.done == []
    assert (report.complete, report.workers_lost) == (False, 2)


def test_a_hang_under_a_shortened_deadline_is_confirmed_in_the_next_session(
    card: Card, tmp_path: Path
) -> None:
    file = tmp_path / "journal"
    card.seconds, card.limit = 0.5, 31
    killed(card, file, 20, max_side=128)
    report = search(file, max_side=128)
    sides = [max(case.h, case.w) for case in card.patient]
    assert sides.count(32) == 1
    assert report.result.safe_side == 31


def test_a_hang_that_had_the_full_timeout_is_not_confirmed_in_the_next_session(
    card: Card, tmp_path: Path
) -> None:
    file = tmp_path / "journal"
    card.seconds = 0.5
    killed(card, file, 20)
    assert search(file).cases == search(None).cases


def test_with_more_hangs_allowed_the_search_goes_on(card: Card, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    first = search(file, max_hangs=2)
    assert (first.complete, first.workers_lost, file.exists()) == (False, 2, True)
    card.done = []
    again = search(file, max_hangs=2)
    assert (again.cases, card.done) == (first.cases, [])
    more = search(file, max_hangs=12)
    assert (more.complete, file.exists()) == (True, False)
    assert more.cases[: len(first.cases)] == first.cases
    assert more.cases[len(first.cases) :] == [each for each in more.cases if each.case in card.done]
    assert more.workers_lost == losses(more.cases)


def test_a_search_that_was_allowed_more_and_was_stopped_goes_on_again(
    card: Card, tmp_path: Path
) -> None:
    file = tmp_path / "journal"
    first = search(file, max_hangs=2)
    card.done, card.stop_at = [], 2
    second = search(file, max_hangs=12)
    card.done, card.stop_at = [], 0
    third = search(file, max_hangs=12)
    assert third.complete
    assert third.cases[: len(second.cases)] == second.cases
    assert second.cases[: len(first.cases)] == first.cases
    assert not {each.case for each in second.cases} & set(card.done)


def test_a_journal_of_another_search_is_begun_again(card: Card, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    killed(card, file, 5)
    assert search(file, max_side=16).cases == search(None, max_side=16).cases


def test_a_damaged_journal_is_refused(card: Card, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    killed(card, file, 5)
    file.write_bytes(file.read_bytes() + b'{"case": 7}\n')
    with pytest.raises(JournalError, match="no journal of a boundary: "):
        search(file)


@pytest.mark.usefixtures("card")
def test_an_interruption_at_any_moment_leaves_a_sound_envelope() -> None:
    cases = search(None).cases
    bad = [case for case in LAYERS if fails(case)]
    made = 0
    for number in range(len(cases)):
        try:
            envelope = envelope_of(cases[:number], Conditions())
        except EnvelopeError:
            continue
        made += 1
        assert not [case for case in bad if allows(envelope, case)]
    assert made > len(cases) - 5
