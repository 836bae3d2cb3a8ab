"""Watches a program and says which convolution it hangs in or died of."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .flight import Entry, Log, create, read

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_SHOWN = 3
_MEASURE = "rdna1-validate boundary --envelope FILE"


def watch(options: argparse.Namespace) -> int:
    """Run the script of ``python -m rdna1.guard --watch`` in a process of its own.

    Args:
        options: of the command line.

    Returns:
        Its exit code; 1 if it was killed as it hung, 128 and its number if a signal killed it.
    """
    base = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="rdna1-guard-", dir=base) as folder:
        file = Path(folder) / "flight"
        create(file)
        variables = {"RDNA1_GUARD_FLIGHT": str(file), "RDNA1_GUARD_WATCHER": str(os.getpid())}
        # The user's own program, as a list of arguments.
        program = subprocess.Popen(_command(options), env={**os.environ, **variables})  # noqa: S603
        # The terminal sends Ctrl-C to the program as well, which decides what it does.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: _end(program.pid))
        try:
            return _watched(program, file, options)
        finally:
            if program.poll() is None:
                _end(program.pid)
                program.wait()


def _command(options: argparse.Namespace) -> list[str]:
    command = [sys.executable, "-m", "rdna1.guard"]
    command += ["--envelope", options.envelope] if options.envelope else []
    command += ["--memory", str(options.memory)] if options.memory else []
    for name in ("strict", "summary", "record_only", "synchronize"):
        command += [f"--{name.replace('_', '-')}"] if getattr(options, name) else []
    return [*command, options.script, *options.arguments]


def _watched(program: subprocess.Popen[bytes], file: Path, options: argparse.Namespace) -> int:
    told: float | None = None
    while True:
        log = read(file)
        # Before the first convolution there is nothing to say about.
        quiet = time.monotonic() - log.last if log.entries else 0.0
        try:
            code = program.wait(max(0.05, min(options.timeout - quiet, options.timeout / 2)))
        except subprocess.TimeoutExpired:
            code = None
        if code is not None:
            return _ended(code, read(file), options)
        log = read(file)
        is_quiet = log.entries and time.monotonic() - log.last >= options.timeout
        if not is_quiet or told == log.last:
            continue
        told = log.last
        _say(f"no convolution began or ended for {options.timeout:g} seconds")
        _tell(log, options, "hangs")
        if options.kill:
            _end(program.pid)
            program.wait()
            _say("killed the program")
            return 1


def _ended(code: int, log: Log, options: argparse.Namespace) -> int:
    if code < 0:
        _say(f"the program was killed by {signal.Signals(-code).name}")
        _tell(log, options, "died in")
        return 128 - code
    if code and log.running:
        _tell(log, options, "failed in")
    return code


def _tell(log: Log, options: argparse.Namespace, verb: str) -> None:
    """Say what was at work, or came last."""
    running = log.running
    if not log.entries:
        _say("it began no convolution")
        return
    last = running[-1] if running else log.entries[-1]
    _say(f"{verb if running else 'the last one was'} {last.layer} {last.dtype}")
    _say(f"  called at {last.site or 'an unknown place'}")
    state = f"outside the envelope ({last.reason})" if last.reason else "inside the envelope"
    _say(f"  {state}, computed {last.plan}")
    before = [entry for entry in log.entries if entry.began < last.began][-_SHOWN:]
    for entry in reversed(before):
        _say(f"  before it: {entry.layer}, {'ended' if entry.ended else 'running'}")
    _say(f"  => {_advice(last, options, is_running=bool(running))}")


def _advice(entry: Entry, options: argparse.Namespace, *, is_running: bool) -> str:
    if not is_running:
        return (
            "Its call returned: what hangs is outside of convolutions, or a GPU is behind. "
            "--synchronize waits for each"
        )
    if entry.reason and options.record_only:
        return "Run it without --record-only: the guard keeps this layer inside the envelope"
    if entry.reason:
        return f"Its pieces should be safe and are not: measure again, {_MEASURE}"
    return f"The envelope allows it and should not: measure again, {_MEASURE}"


def _say(line: str) -> None:
    print(f"rdna1.guard: {line}", file=sys.stderr, flush=True)


def _end(process: int) -> None:
    """Kill a process and all that it started."""
    for each in [process, *_descendants(process)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def _descendants(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which may hold anything: state, then the parent.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found = list(children.get(process, []))
    for each in found:
        found += children.get(each, [])
    return found
