"""A worker for tests: speaks like the real one, without torch, and behaves as its device says."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time

from rdna1.conv.protocol import Answer, Failed, Ready, Started
from rdna1.conv.result import DeviceInfo
from rdna1.conv.worker import Channel, die_with


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", required=True)
    parser.add_argument("--supervisor", required=True, type=int)
    arguments = parser.parse_args()
    die_with(arguments.supervisor)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    behave(arguments.device, Channel())


def behave(kind: str, channel: Channel) -> None:
    """Open a device, then serve one case after the other."""
    if kind == "silent":
        sleep()
    if kind == "stillborn":
        sys.exit("no such library")
    if kind == "broken device":
        channel.send(Failed("RuntimeError: invalid device function"))
        sleep()
    channel.send(Ready(DeviceInfo(kind, "cpu", "test", "none", None, None)))
    while channel.receive():
        if kind == "slow reference":
            sleep()
        channel.send(Started())
        if kind in ("out of memory", "lost"):
            text = f"{kind} in process {os.getpid()}"
            channel.send(Failed(text, usable=kind == "out of memory"))
            continue
        serve(kind)
        print("noise on standard output", flush=True)
        channel.send(Answer(0.0, 0.0, 0.0, ""))


def serve(kind: str) -> None:
    """Do what the device is named after; return for a case that passes."""
    if kind.startswith("fork"):
        for _ in range(3):
            # The children hold this process's pipes open.
            subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False
            )
    if kind == "flood":
        for _ in range(64):
            os.write(2, b"word " * 20_000)
    if kind.endswith("flood and hang"):
        while True:
            os.write(2, b"word " * 20_000)
    if kind.endswith("deaf"):
        sleep()
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
