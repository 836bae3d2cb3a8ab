"""``python -m rdna1.guard``: programs that are run, watched, hang and die."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rdna1.guard import flight
from rdna1.guard.__main__ import main
from rdna1.guard.layer import FORWARD, Layer
from rdna1.guard.plan import NATIVE, Plan

ROOT = Path(__file__).parents[3]
ENVELOPE = ROOT / "docs" / "guard-envelope.json"
TRAINING = ROOT / "docs" / "guard_training.py"
LAYER = Layer(FORWARD, 1, 3, 4, (9, 9), (3, 3), (1, 1), (0, 0), (1, 1), 1)


def guarded(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rdna1.guard", "--envelope", ENVELOPE, *arguments],
        capture_output=True,
        text=True,
    )


def script(folder: Path, text: str) -> Path:
    file = folder / "program.py"
    file.write_text(textwrap.dedent(text))
    return file


def test_a_program_runs_as_without_a_guard(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'imported'")
    program = script(
        tmp_path,
        """
        import sys, torch, beside
        torch.nn.Conv2d(3, 4, 3)(torch.rand(1, 3, 90, 50))
        print(__name__, sys.argv[1:], beside.NAME)
        sys.exit(7)
        """,
    )
    done = guarded("--summary", program, "one", "--two")
    assert done.returncode == 7
    assert done.stdout == "__main__ ['one', '--two'] imported\n"
    assert "1 convolutions and gradients: 0 as they are, 1 from " in done.stderr


def test_an_error_of_the_program_is_shown_whole(tmp_path: Path) -> None:
    done = guarded(script(tmp_path, "raise KeyError('of the program')"))
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "KeyError: 'of the program'" in done.stderr


def test_a_strict_guard_ends_the_program_with_one_line(tmp_path: Path) -> None:
    program = script(tmp_path, "import torch\ntorch.nn.Conv2d(3, 4, 50)(torch.rand(1, 3, 60, 60))")
    done = guarded("--strict", program)
    assert done.returncode == 1
    assert "side 60 above 42, and no pieces of it are inside" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["no-such.py"], "no-such.py: no such file. Remedy"),
        (["--timeout", "0", __file__], "0 is not above 0"),
        (["--envelope", "no-such.json", __file__], "no-such.json: No such file or directory"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(arguments)
    except SystemExit as error:
        code = int(str(error.code))
    said = capsys.readouterr().err
    assert code == 2 and reason in said and said.count("\n") == 1


def test_training_ends_with_the_guard() -> None:
    done = guarded("--watch", "--timeout", "300", TRAINING, "--steps", "2")
    assert done.returncode == 0, done.stderr
    assert "step 2: loss" in done.stdout and done.stderr == ""


def test_training_hangs_without_it_and_the_recorder_names_the_layer() -> None:
    done = guarded("--watch", "--timeout", "3", "--kill", "--record-only", TRAINING)
    assert done.returncode == 1
    assert "hangs conv2d 1->8 3x3 at 16x1x64x64 forward float32" in done.stderr
    assert "guard_training.py:" in done.stderr and "(layer body.0)" in done.stderr
    assert "outside the envelope (side 64 above 42), computed as it is" in done.stderr
    assert "=> Run it without --record-only" in done.stderr


def test_a_gradient_of_a_layer_that_runs_as_it_is_is_recorded(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("- {when: \"direction == 'backward' and c_in == 3\", outcome: crash}\n")
    program = script(
        tmp_path,
        f"""
        import torch
        from pathlib import Path
        from rdna1.sim.backend import SimulatedBackend
        layer = torch.nn.Conv2d(3, 4, 3)
        with SimulatedBackend(Path({str(rules)!r})):
            loss = layer(torch.rand(1, 3, 20, 20)).sum()
            loss.backward()
        """,
    )
    done = guarded("--watch", program)
    assert done.returncode == 128 + signal.SIGSEGV
    assert "the program was killed by SIGSEGV" in done.stderr
    assert "died in conv2d 3->4 3x3 at 1x3x20x20 backward float32" in done.stderr
    assert "inside the envelope, computed as it is" in done.stderr
    assert "=> The envelope allows it and should not: measure again" in done.stderr


def test_a_program_that_is_killed_leaves_its_last_convolutions(tmp_path: Path) -> None:
    program = script(
        tmp_path,
        """
        import os, signal, torch
        torch.nn.Conv2d(3, 4, 3)(torch.rand(1, 3, 20, 20))
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    done = guarded("--watch", program)
    assert done.returncode == 128 + signal.SIGKILL
    assert "the last one was conv2d 3->4 3x3 at 1x3x20x20 forward" in done.stderr


def test_the_program_ends_with_its_watcher(tmp_path: Path) -> None:
    program = script(tmp_path, "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)")
    command = [sys.executable, "-m", "rdna1.guard", "--envelope", str(ENVELOPE), "--watch"]
    with subprocess.Popen([*command, str(program)], stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        number = int(watcher.stdout.readline())
        process = os.pidfd_open(number)
        watcher.kill()
        # It can be read when the process has ended; without an end the test hangs.
        select.select([process], [], [])
    os.close(process)


def test_the_recorder_keeps_the_last_of_many(tmp_path: Path) -> None:
    file = tmp_path / "flight"
    flight.create(file)
    assert flight.read(file).entries == ()
    recorder = flight.Recorder(file)
    plan = Plan(NATIVE, reason="side 9 above 8")
    for line in range(200):
        with recorder.call_of(LAYER, plan, f"a.py:{line}"):
            pass
    recorder.call_of(LAYER, plan, "b" * 5000 + ".py:41").begin()
    log = flight.read(file)
    assert log.process == os.getpid()
    *before, last = log.entries
    assert [entry.site for entry in before] == [f"a.py:{line}" for line in range(137, 200)]
    assert log.running == [last]
    ends = [entry.ended or 0.0 for entry in before]
    assert ends == sorted(ends) and ends[0] > 0 and log.last == last.began
    assert last.site.endswith("bbb.py:41") and last.reason == "side 9 above 8"
    assert last.layer == LAYER.label


def test_a_layer_that_runs_again_is_the_last_one_again(tmp_path: Path) -> None:
    file = tmp_path / "flight"
    flight.create(file)
    recorder = flight.Recorder(file)
    first, second = (recorder.call_of(LAYER, Plan(NATIVE), f"a.py:{line}") for line in (1, 2))
    for call in (first, second, first):
        with call:
            pass
    assert [entry.site for entry in flight.read(file).entries] == ["a.py:2", "a.py:1"]
    assert flight.read(file).running == []
    second.begin()
    (running,) = flight.read(file).running
    assert running == flight.read(file).entries[-1] and running.site == "a.py:2"


def test_what_failed_is_not_running_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "flight"
    flight.create(file)
    recorder = flight.Recorder(file)
    failed, other = (recorder.call_of(LAYER, Plan(NATIVE), f"a.py:{line}") for line in (1, 2))
    # A gradient that raises an error has no end.
    failed.begin()
    for _ in range(63):
        with other:
            pass
    assert [entry.site for entry in flight.read(file).running] == ["a.py:1"]
    with other:
        pass
    assert flight.read(file).running == []


def test_a_layer_is_named_however_many_others_ran_since_it_was_first(tmp_path: Path) -> None:
    file = tmp_path / "flight"
    flight.create(file)
    recorder = flight.Recorder(file)
    old = recorder.call_of(LAYER, Plan(NATIVE), "old.py:1")
    old.begin()
    for line in range(4100):
        with recorder.call_of(LAYER, Plan(NATIVE), f"new.py:{line}"):
            pass
    # What has its place now is not said to have ended again.
    last = flight.read(file).last
    old.end()
    assert flight.read(file).last == last
    old.begin()
    sites = [entry.site for entry in flight.read(file).entries]
    assert sites == [*(f"new.py:{line}" for line in range(4037, 4100)), "old.py:1"]


def test_a_process_that_was_forked_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "flight"
    flight.create(file)
    recorder = flight.Recorder(file)
    call = recorder.call_of(LAYER, Plan(NATIVE), "a.py:1")
    call.begin()
    child = os.fork()
    if not child:
        recorder.call_of(LAYER, Plan(NATIVE), "b.py:1").begin()
        call.end()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    (entry,) = flight.read(file).entries
    assert (entry.site, entry.ended) == ("a.py:1", None)


def test_a_recorder_that_is_being_written_is_read_as_far_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "flight"
    flight.create(file)
    recorder = flight.Recorder(file)
    recorder.call_of(LAYER, Plan(NATIVE), "a.py:1").begin()
    content = bytearray(file.read_bytes())
    content[content.index(b"conv2d") - 1] = 0
    file.write_bytes(content)
    assert flight.read(file) == flight.Log(os.getpid(), ())
