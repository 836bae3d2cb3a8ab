"""Workers that misbehave are survived, named and gone; the workers here need no torch."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult, UnusableDeviceError
from rdna1.measure.smoke import confirm_slow
from rdna1.worker.deadline import FEWEST_RUNS
from rdna1.worker.supervisor import DeviceLostError, Supervisor

CASE = ConvCase(16, 32, 32, 32, 3, 3, padding=1)
GOOD_CASE = ConvCase(16, 32, 31, 32, 3, 3, padding=1)
ODD_WORKER = (sys.executable, str(Path(__file__).with_name("odd_worker.py")))

Start = Callable[[str], Supervisor]
Pids = Callable[[], list[int]]
WaitUntil = Callable[[Callable[[], bool]], None]


@pytest.fixture
def start(
    started: Pids, wait_until: WaitUntil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Make supervisors of odd workers; processes and files must be gone at the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield lambda device: Supervisor(device, timeout=0.5, program=ODD_WORKER, allowance=20)
    wait_until(lambda: not started())
    assert list(tmp_path.iterdir()) == []


def test_a_worker_serves_many_cases_and_may_write_to_standard_output(start: Start) -> None:
    with start("good") as supervisor:
        outcomes = [supervisor.run(CASE).outcome for _ in range(5)]
        assert supervisor.device is not None
        assert supervisor.device.requested == "good"
    assert outcomes == ["pass"] * 5
    assert supervisor.workers_lost == 0


@pytest.mark.parametrize(("kind", "workers"), [("out of memory", 1), ("lost", 3)])
def test_a_worker_is_used_again_after_an_error_only_if_it_says_so(
    start: Start, kind: str, workers: int
) -> None:
    with start(kind) as supervisor:
        results = [supervisor.run(CASE) for _ in range(3)]
    assert {result.outcome for result in results} == {"error"}
    assert all(result.detail.startswith(f"{kind} in process ") for result in results)
    assert len({result.detail for result in results}) == workers
    assert supervisor.workers_lost == 0


@pytest.mark.parametrize("kind", ["deaf", "fork and deaf", "daemon and deaf", "flood and hang"])
def test_a_worker_that_stops_answering_is_killed_with_its_children(
    start: Start, started: Pids, wait_until: WaitUntil, kind: str
) -> None:
    with start(kind) as supervisor:
        result = supervisor.run(CASE)
        wait_until(lambda: len(started()) == 1)  # the template
    assert result.outcome == "hang"
    assert result.detail.startswith("no answer within 0.5 s, killed")
    assert result.seconds >= 0.5
    assert supervisor.workers_lost == 1


@pytest.mark.parametrize("kind", ["abort", "fork and abort", "daemon and abort"])
def test_a_crash_is_named_even_when_children_hold_the_pipes(
    start: Start, started: Pids, wait_until: WaitUntil, kind: str
) -> None:
    with start(kind) as supervisor:
        results = [supervisor.run(CASE) for _ in range(2)]
        wait_until(lambda: len(started()) == 1)  # the template
    for result in results:
        assert result.outcome == "crash"
        assert result.detail == "killed by SIGABRT\nterminate called"
    assert supervisor.workers_lost == 2


@pytest.mark.parametrize(
    ("kind", "outcome"), [("good", "pass"), ("exit", "crash"), ("broken device", "error")]
)
def test_what_looks_slow_is_run_again(start: Start, kind: str, outcome: str) -> None:
    quick = CaseResult(msgspec.structs.replace(CASE, n=2), "pass", 0.001)
    results = [CaseResult(CASE, "pass", 2.0), quick]
    with start(kind) as supervisor:
        confirm_slow(supervisor, results)
    assert (results[0].case, results[0].outcome) == (CASE, outcome)
    assert results[0].seconds < 2.0
    assert results[1] is quick


def test_a_second_run_that_fails_counts_however_long_it_took(started: Pids) -> None:
    quick = CaseResult(msgspec.structs.replace(CASE, n=2), "pass", 0.001)
    results = [CaseResult(CASE, "pass", 0.8), quick]
    with Supervisor("deaf", timeout=1, program=ODD_WORKER, allowance=20) as supervisor:
        confirm_slow(supervisor, results)
    assert results[0].outcome == "hang"
    assert started() == []


def test_the_first_run_is_told_from_the_second(start: Start) -> None:
    with start("good") as supervisor:
        result = supervisor.run(CASE)
    assert (result.first_seconds, result.seconds) == (0.25, 0.125)


def test_a_hang_in_the_second_run_keeps_the_time_of_the_first(start: Start) -> None:
    with start("second run deaf") as supervisor:
        result = supervisor.run(CASE)
    assert (result.outcome, result.first_seconds) == ("hang", 0.25)
    assert result.detail == "in the second run: no answer within 0.5 s, killed"


def test_an_exit_is_a_crash_with_its_status(start: Start) -> None:
    with start("exit") as supervisor:
        result = supervisor.run(CASE)
    assert (result.outcome, result.detail) == ("crash", "ended with exit status 3")


def test_a_flood_on_standard_error_blocks_nobody(start: Start) -> None:
    with start("flood") as supervisor:
        assert [supervisor.run(CASE).outcome for _ in range(2)] == ["pass", "pass"]


def test_last_words_of_a_flood_are_kept_short(start: Start) -> None:
    with start("flood and hang") as supervisor:
        detail = supervisor.run(CASE).detail
    assert "word word" in detail
    assert len(detail) < 3000


def test_a_slow_reference_is_not_the_devices_fault(started: Pids) -> None:
    with Supervisor("slow reference", 60, program=ODD_WORKER, allowance=2) as supervisor:
        result = supervisor.run(CASE)
    assert result.outcome == "error"
    assert result.detail == "before the device was used: no answer within 2 s, killed"
    assert started() == []


@pytest.mark.parametrize("kind", ["silent", "slow import"])
def test_a_worker_that_is_silent_from_the_start_ends_the_run(started: Pids, kind: str) -> None:
    with (
        Supervisor(kind, 60, program=ODD_WORKER, allowance=1) as supervisor,
        pytest.raises(DeviceLostError) as caught,
    ):
        supervisor.run(CASE)
    assert caught.value.result.outcome == "hang"
    assert str(caught.value) == "the worker did not start: no answer within 1 s, killed"
    assert started() == []


@pytest.mark.parametrize(
    ("kind", "outcome", "detail"),
    [
        ("stillborn", "crash", "the worker did not start: ended with exit status 1\nno such libr"),
        ("broken device", "error", "the worker did not start: RuntimeError: invalid device func"),
        ("broken import", "crash", "the worker did not start: killed by SIGABRT\ncannot enable ex"),
        ("babble", "error", "the worker did not start: unintelligible answer: "),
    ],
)
def test_a_worker_that_does_not_start_ends_the_run(
    start: Start, kind: str, outcome: str, detail: str
) -> None:
    with start(kind) as supervisor, pytest.raises(DeviceLostError) as caught:
        supervisor.run(CASE)
    assert caught.value.result.outcome == outcome
    assert caught.value.result.detail.startswith(detail)


def test_what_is_no_worker_at_all_does_not_start(started: Pids) -> None:
    program = (sys.executable, "-c", "print('hello')")
    with (
        Supervisor("cpu", 60, program=program) as supervisor,
        pytest.raises(DeviceLostError, match="ended with exit status 0\nhello") as caught,
    ):
        supervisor.run(CASE)
    assert caught.value.result.outcome == "crash"
    assert started() == []


def test_an_exception_in_the_block_leaves_nothing(start: Start, started: Pids) -> None:
    with pytest.raises(ZeroDivisionError), start("good") as supervisor:
        supervisor.run(CASE)
        assert len(started()) == 3  # the template, a worker and its reaper
        raise ZeroDivisionError
    assert started() == []


def test_a_missing_rule_file_is_the_users_mistake(started: Pids) -> None:
    with (
        Supervisor("sim:/nowhere/rules.yml", timeout=1) as supervisor,
        pytest.raises(UnusableDeviceError, match=r"/nowhere/rules\.yml: No such file"),
    ):
        supervisor.run(CASE)
    assert started() == []


def test_a_hang_has_the_full_timeout_until_enough_has_passed(started: Pids) -> None:
    with Supervisor("deaf", timeout=3, program=ODD_WORKER, adaptive=True) as supervisor:
        early = supervisor.run(CASE)
        passes = [supervisor.run(GOOD_CASE) for _ in range(FEWEST_RUNS)]
        late, last = supervisor.run(CASE), supervisor.run(CASE, patient=True)
    assert [result.outcome for result in passes] == ["pass"] * FEWEST_RUNS
    assert early.detail == last.detail == "no answer within 3 s, killed"
    # It sleeps, so it neither compiles nor loads.
    assert late.detail.startswith("no answer, and idle for ")
    assert supervisor.hurried == {CASE}
    assert started() == []


def test_variables_reach_the_worker(started: Pids, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOVED", "1")
    script = "import os, sys; sys.exit(' '.join(map(str, map(os.getenv, ['ADDED', 'REMOVED']))))"
    program = (sys.executable, "-c", script)
    variables = {"ADDED": "yes", "REMOVED": None}
    with (
        Supervisor("cpu", 1, program=program, variables=variables) as supervisor,
        pytest.raises(DeviceLostError, match="yes None"),
    ):
        supervisor.run(CASE)
    assert started() == []


SUPERVISE = """
import sys
from pathlib import Path
from rdna1.conv.case import ConvCase
from rdna1.worker.supervisor import Supervisor
program = (sys.executable, sys.argv[1])
with Supervisor("late", timeout=3, program=program, allowance=60) as supervisor:
    supervisor.run(ConvCase(1, 1, 1, 1, 1, 1))
    Path("ready").touch()
    print(supervisor.run(ConvCase(1, 1, 32, 1, 1, 1)).outcome)
"""


def test_time_in_which_the_whole_machine_stood_still_is_no_hang(
    started: Pids, wait_until: WaitUntil, tmp_path: Path
) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, ODD_WORKER[1]],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until((tmp_path / "ready").exists)
    # The supervisor first: it wakes up when its deadline is past and nothing has been answered.
    processes = sorted(started(), key=lambda pid: pid != run.pid)
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(4)
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.2)
    assert run.communicate()[0] == "pass\n"
    assert started() == []
