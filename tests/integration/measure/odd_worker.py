"""A worker for tests: speaks like the real one, without torch, and behaves as its device says."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rdna1.conv.result import DeviceInfo
from rdna1.worker.messages import Answer, Failed, FirstRun, Ready, Started
from rdna1.worker.template import become_worker, end_with_supervisor
from rdna1.worker.worker import Channel

PR_SET_PTRACER = 0x59616D61  # linux/prctl.h

# Higher inputs meet the misbehaviour.
LARGEST_GOOD = 31


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", required=True)
    parser.add_argument("--requests", required=True, type=int)
    arguments = parser.parse_args()
    end_with_supervisor()
    load(arguments.device)
    channel = Channel(become_worker(arguments.requests))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    behave(arguments.device, channel)


def load(kind: str) -> None:
    """Do what stands for importing torch."""
    if kind == "slow import":
        sleep()
    if kind == "broken import":
        os.write(2, b"cannot enable executable stack\n")
        os.abort()


def behave(kind: str, channel: Channel) -> None:
    """Open a device, then serve one case after the other."""
    if kind == "silent":
        sleep()
    if kind == "babble":
        channel.send(Started())
    if kind == "stillborn":
        sys.exit("no such library")
    if kind.startswith("stillborn second"):
        with Path("started").open("a", encoding="utf-8") as file:
            file.write(".")
            if file.tell() == len(".."):
                sys.exit("the card is being reset")
    if kind == "broken device":
        channel.send(Failed("RuntimeError: invalid device function"))
        sleep()
    if kind.startswith("traceable"):
        # Lets any process of this user trace this one where Yama restricts that (prctl(2)).
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
    ready = Ready(DeviceInfo(kind, "cpu", "test", "none", None, None), os.environ.get("IDENTITY"))
    channel.send(ready)
    for case in channel.receive():
        if kind == "slow reference":
            sleep()
        channel.send(Started())
        if kind in ("out of memory", "lost"):
            text = f"{kind} in process {os.getpid()}"
            channel.send(Failed(text, usable=kind == "out of memory"))
            continue
        if not kind.startswith("second run") and case.h > LARGEST_GOOD:
            serve(kind)
        channel.send(FirstRun(0.25))
        if kind.startswith("second run"):
            serve(kind)
        print("noise on standard output", flush=True)
        channel.send(Answer(0.125, 0.0, 0.0, ""))


def serve(kind: str) -> None:
    """Do what the device is named after; return for a case that passes."""
    if kind.startswith("fork"):
        for _ in range(3):
            # The children hold this process's pipes open.
            subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False
            )
    if kind.startswith("daemon"):
        # A child in a session of its own, whose parent has ended.
        script = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], "
        script += "start_new_session=True, close_fds=False)"
        sleeper = "import time; time.sleep(600)"
        subprocess.run([sys.executable, "-c", script, sleeper], check=True, close_fds=False)
    if kind == "flood":
        for _ in range(64):
            os.write(2, b"word " * 20_000)
    if kind.endswith("flood and hang"):
        while True:
            os.write(2, b"word " * 20_000)
    if kind.endswith("deaf"):
        sleep()
    if kind == "late":
        time.sleep(1)
    if kind.endswith("abort"):
        os.write(2, b"terminate called\n")
        os.abort()
    if kind == "exit":
        os._exit(3)


def sleep() -> None:
    while True:
        time.sleep(600)


if __name__ == "__main__":
    main()
