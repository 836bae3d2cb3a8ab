"""What a run leaves in the journal of a machine: real modules, a real /dev/log."""

from __future__ import annotations

from collections.abc import Callable

from support.boxes import Box

LISTENER = """
import os, socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
os.chmod("/dev/log", 0o666)
if os.fork():
    os._exit(0)
os.setsid()
for descriptor in (0, 1, 2):
    os.close(descriptor)
with open("/run/heard", "ab", buffering=0) as file:
    while True:
        file.write(log.recv(1 << 20) + b"\\n")
"""
MARK = "s3cr3t-f0lder"


def test_no_argument_or_content_reaches_the_journal(make_box: Callable[..., Box]) -> None:
    box = make_box()
    box.run("python3", "-c", LISTENER)
    box.run("sh", "-c", f"echo export MIOPEN_USER_DB_PATH=/{MARK} >/etc/profile.d/own.sh")
    # What is collected and what is written travel in arguments of modules.
    played = box.play("--tags=snapshot,environment", "--skip-tags=rocm,pytorch,validate")
    assert MARK in box.run("sh", "-c", "cat /var/lib/rdna1/snapshots/*/before.json"), played.stdout
    box.run("python3", "-c", "import syslog; syslog.syslog('the listener works')")
    said = box.run("cat", "/run/heard")
    assert "the listener works" in said
    assert MARK not in said
    assert "Invoked with" not in said
