"""Copies of a template, unkillable workers, killed supervisors: with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rdna1.conv.case import ConvCase
from rdna1.worker.device_lock import DeviceBusyError, DeviceLock
from rdna1.worker.supervisor import DeviceLostError, DeviceResetError, Supervisor

GOOD_CASE = ConvCase(16, 32, 31, 32, 3, 3, padding=1)
CASE = ConvCase(16, 32, 32, 32, 3, 3, padding=1)
ODD_WORKER = (sys.executable, str(Path(__file__).with_name("odd_worker.py")))

Pids = Callable[[], list[int]]
WaitUntil = Callable[[Callable[[], bool]], None]


def parent_of(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def arguments_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
    except OSError:
        return []


def template_of(started: Pids) -> int:
    """Id of the process that workers are copies of."""
    (template,) = (
        pid
        for pid in started()
        if parent_of(pid) == os.getpid() and ODD_WORKER[1] in arguments_of(pid)
    )
    return template


def workers(started: Pids) -> list[int]:
    """Ids of the workers: copies of the template, and so are the reapers between them."""
    template = template_of(started)
    return [pid for pid in started() if parent_of(parent_of(pid)) == template]


@pytest.fixture
def trace() -> Iterator[Callable[[int], None]]:
    """Keep processes from being reaped, see tracer.py."""
    tracers: list[subprocess.Popen[bytes]] = []

    def start(pid: int) -> None:
        program = [sys.executable, str(Path(__file__).with_name("tracer.py")), str(pid)]
        tracer = subprocess.Popen(program, stdout=subprocess.PIPE)
        tracers.append(tracer)
        assert tracer.stdout is not None
        if not tracer.stdout.readline():
            pytest.skip("processes cannot be traced here")

    yield start
    for tracer in tracers:
        tracer.kill()
        tracer.communicate()


def test_another_copy_of_the_template_takes_over_after_a_hang(started: Pids) -> None:
    with Supervisor("deaf", timeout=5, program=ODD_WORKER) as supervisor:
        assert supervisor.run(GOOD_CASE).outcome == "pass"
        template, (first,) = template_of(started), workers(started)
        assert supervisor.run(CASE).outcome == "hang"
        assert started() == [template]
        assert supervisor.run(GOOD_CASE).outcome == "pass"
        (second,) = workers(started)
        assert second != first
        assert template_of(started) == template
        assert supervisor.workers_lost == 1
    assert started() == []


def test_a_killed_template_is_replaced_when_a_worker_is_needed(started: Pids) -> None:
    with Supervisor("deaf", timeout=1, program=ODD_WORKER) as supervisor:
        assert supervisor.run(GOOD_CASE).outcome == "pass"
        os.kill(template_of(started), signal.SIGKILL)
        assert supervisor.run(GOOD_CASE).outcome == "pass"
        assert supervisor.run(CASE).outcome == "hang"
        assert supervisor.run(GOOD_CASE).outcome == "pass"
        assert len(started()) == 3
    assert started() == []


def test_a_device_that_is_being_reset_is_opened_once_more(started: Pids) -> None:
    with Supervisor("stillborn second, deaf", timeout=0.5, program=ODD_WORKER) as supervisor:
        outcomes = [supervisor.run(case).outcome for case in (CASE, GOOD_CASE, GOOD_CASE)]
    assert outcomes == ["hang", "pass", "pass"]
    assert supervisor.workers_lost == 2
    assert started() == []


def test_workers_that_cannot_be_reaped_are_left_alone_up_to_the_limit(
    started: Pids, trace: Callable[[int], None]
) -> None:
    """A tracer stands for the driver that keeps a process in an uninterruptible sleep."""
    with Supervisor("traceable, deaf", 0.5, program=ODD_WORKER, patience=0.3) as supervisor:
        pids = []
        supervisor.run(GOOD_CASE)
        pids += workers(started)
        trace(pids[-1])
        result = supervisor.run(CASE)
        assert result.outcome == "hang"
        assert f"but process {pids[0]} does not die; only a reboot ends it" in result.detail
        assert supervisor.run(GOOD_CASE).outcome == "pass"
        pids += workers(started)
        trace(pids[-1])
        with pytest.raises(DeviceLostError) as caught:
            supervisor.run(CASE)
    assert f"process {pids[0]}, {pids[1]} does not die" in str(caught.value)
    assert caught.value.result.outcome == "hang"


def test_a_second_interrupt_does_not_end_the_clean_up(
    started: Pids,
    trace: Callable[[int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    second = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with (
        pytest.raises(KeyboardInterrupt, match="first"),
        Supervisor("traceable, deaf", 60, program=ODD_WORKER, patience=1) as supervisor,
    ):
        supervisor.run(GOOD_CASE)
        # Makes the clean-up last.
        trace(workers(started)[0])
        second.start()
        raise KeyboardInterrupt("first")
    second.join()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_case_is_not_mixed_up_with_the_next(started: Pids) -> None:
    with Supervisor("deaf", 60, program=ODD_WORKER) as supervisor:
        supervisor.run(GOOD_CASE)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            supervisor.run(CASE)
        assert supervisor.run(GOOD_CASE).case == GOOD_CASE
    assert started() == []


KILLED_SUPERVISOR = """
import sys
from rdna1.conv.case import ConvCase
from rdna1.worker.supervisor import Supervisor
with Supervisor("daemon and fork and deaf", 600, program=sys.argv[1:]) as supervisor:
    supervisor.run(ConvCase(16, 32, 32, 32, 3, 3, padding=1))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_supervisor_leaves_no_process_and_the_next_run_no_folder(
    started: Pids,
    wait_until: WaitUntil,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = [sys.executable, "-c", KILLED_SUPERVISOR, *ODD_WORKER]
    with subprocess.Popen(program) as run:
        # The command, the template, a worker with its reaper, a child in another session.
        wait_until(lambda: len(started()) >= 5)
        run.send_signal(number)
    wait_until(lambda: started() == [])
    assert len(list(tmp_path.iterdir())) == 1
    with Supervisor("good", 60, program=ODD_WORKER) as supervisor:
        assert len(list(tmp_path.iterdir())) == 1
        assert supervisor.run(CASE).outcome == "pass"
    assert list(tmp_path.iterdir()) == []


def test_a_supervisor_killed_while_torch_is_imported_leaves_no_process(
    started: Pids, wait_until: WaitUntil
) -> None:
    script = KILLED_SUPERVISOR.replace("daemon and fork and deaf", "slow import")
    with subprocess.Popen([sys.executable, "-c", script, *ODD_WORKER]) as run:
        wait_until(lambda: any(map(ends_with_its_supervisor, started())))
        run.kill()
    wait_until(lambda: started() == [])


def ends_with_its_supervisor(pid: int) -> bool:
    """Whether a process has called `end_with_supervisor`: its standard input has O_ASYNC."""
    try:
        text = Path(f"/proc/{pid}/fdinfo/0").read_text(encoding="utf-8")
    except OSError:
        return False
    return bool(int(text.split("flags:")[1].split()[0], 8) & os.O_ASYNC)


def test_a_killed_reaper_takes_its_worker_with_it(started: Pids, wait_until: WaitUntil) -> None:
    with Supervisor("deaf", 60, program=ODD_WORKER) as supervisor:
        supervisor.run(GOOD_CASE)
        template, (worker,) = template_of(started), workers(started)
        (reaper,) = set(started()) - {worker, template}
        threading.Timer(0.2, os.kill, (reaper, signal.SIGKILL)).start()
        result = supervisor.run(CASE)
        wait_until(lambda: started() == [template])
    assert (result.outcome, result.detail) == ("crash", "killed with its reaper")


def test_a_worker_outlives_the_thread_that_started_it(started: Pids) -> None:
    with Supervisor("good", 60, program=ODD_WORKER) as supervisor:
        thread = threading.Thread(target=supervisor.run, args=[CASE])
        thread.start()
        thread.join()
        before = workers(started)
        assert supervisor.run(CASE).outcome == "pass"
        assert workers(started) == before
    assert started() == []


RESET = "amdgpu 0000:08:00.0: amdgpu: GPU reset begin!"


def test_a_reset_ends_the_run(started: Pids, tmp_path: Path) -> None:
    """A file stands for the kernel's log."""
    log = tmp_path / "kmsg"
    log.touch()
    with Supervisor("good", 60, program=ODD_WORKER, kernel_log=log) as supervisor:
        assert supervisor.run(CASE).outcome == "pass"
        log.write_text("4,1,1,-;amdgpu: qcm fence wait loop timeout expired\n", encoding="utf-8")
        assert supervisor.run(CASE).outcome == "pass"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"4,2,2,-;{RESET}\n")
        for _ in range(2):
            with pytest.raises(DeviceResetError) as caught:
                supervisor.run(CASE)
            assert caught.value.result.outcome == "error"
            assert str(caught.value).endswith(f"the kernel log says: {RESET}")
    assert supervisor.resets == [RESET]
    assert [message.kind for message in supervisor.kernel_messages] == ["stall", "reset"]
    assert supervisor.kernel_log_unavailable == ""
    assert started() == []


def test_a_log_that_cannot_be_read_does_not_stop_a_run(started: Pids, tmp_path: Path) -> None:
    with Supervisor("good", 60, program=ODD_WORKER, kernel_log=tmp_path / "none") as supervisor:
        assert supervisor.run(CASE).outcome == "pass"
    assert supervisor.kernel_log_unavailable.endswith("none: No such file or directory")
    assert started() == []


def test_two_runs_take_turns_on_a_device(started: Pids, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = f"test {uuid.uuid4()}"
    monkeypatch.setenv("IDENTITY", identity)
    told: list[str] = []
    try:
        with Supervisor("good", 60, program=ODD_WORKER) as first:
            assert first.run(CASE).outcome == "pass"
            with (
                Supervisor("good", 60, program=ODD_WORKER, wait=0.3, on_wait=told.append) as second,
                pytest.raises(DeviceBusyError, match=f"in use by process {os.getpid()} "),
            ):
                second.run(CASE)
        assert len(told) == 1
        with Supervisor("good", 60, program=ODD_WORKER, wait=0) as third:
            assert third.run(CASE).outcome == "pass"
    finally:
        DeviceLock(identity).path.unlink()
    assert started() == []
