"""Who can write a checkout that root works in: with real users, sudo and access lists in a box.

The box is made once for this module. Each test has a checkout of its own.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.boxes import Box, remove_box, start_box

ROOT = Path(__file__).parents[3]
# Of mallory's making, in the places from which ./run starts programs.
TRAP = "#!/bin/sh\necho run by $(id -un) >>/tmp/trapped\n"


class Machine(NamedTuple):
    """A box with the users ada, who may use sudo, and mallory, who may not."""

    box: Box

    def shell(self, script: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Run a shell script as a user."""
        return subprocess.run(
            ["podman", "exec", "--user", user, self.box.name, "sh", "-euc", script],
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, script: str, user: str = "root") -> str:
        """Run a shell script that has to succeed."""
        done = self.shell(script, user)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    name = f"rdna1-test-{os.getpid()}-checkout"
    try:
        box = start_box(name, tmp_path_factory.mktemp("checkout"), ())
        found = Machine(box)
        found.must(
            "apt-get -qq update; export DEBIAN_FRONTEND=noninteractive; apt-get -qq install --yes"
            " --no-install-recommends sudo acl >/dev/null 2>&1; umask 022;"
            " for user in ada mallory; do useradd --create-home $user; done; chmod 755 /home/*;"
            " echo 'ada ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ada;"
            " groupadd devs; groupadd empty; usermod -aG devs mallory"
        )
        subprocess.run(
            ["podman", "exec", "-i", name, "tar", "-x", "-C", "/opt"],
            input=packed(),
            check=True,
        )
        yield found
    finally:
        remove_box(name)


def packed() -> bytes:
    """The script as it is now, and what else of a checkout matters here."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in ("run", "ansible.cfg", "site.yml", "installer/rdna1/errors.py"):
            tar.add(ROOT / name, f"checkout/{name}", filter=owned_by_root)
    return stream.getvalue()


def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    # Python 3.11.2 of Debian 12 has no TarInfo.replace.
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


@pytest.fixture
def mine(machine: Machine) -> str:
    """A checkout of ada's in her home, in which nothing was set up yet."""
    machine.must(
        "rm -rf /home/ada/rdna1 /srv/* /tmp/trapped; cp -r /opt/checkout /home/ada/rdna1;"
        " chown -R ada: /home/ada/rdna1; chmod 755 /home/ada; chown ada: /home/ada"
    )
    return "/home/ada/rdna1"


def refusal(machine: Machine, command: str, user: str = "ada") -> str:
    """The one line with which a command is refused before it does anything."""
    done = machine.shell(command, user)
    assert done.returncode == 1, done.stdout + done.stderr
    line = done.stderr.removesuffix("\n")
    assert "\n" not in line
    assert line.startswith("run: root does not run what others can change: ")
    assert "Remedy: " in line
    assert machine.shell("cat /tmp/trapped").stdout == ""
    return line


def accepted(machine: Machine, command: str, user: str = "ada") -> None:
    done = machine.shell(command, user)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("==> Only root ")


def test_sudo_in_ones_own_checkout_is_not_refused(machine: Machine, mine: str) -> None:
    accepted(machine, f"cd {mine}; sudo ./run checkout")
    # As Ubuntu's umask for users with a group of their own has it.
    machine.must(f"chmod -R g+w {mine}")
    accepted(machine, f"cd {mine}; sudo ./run checkout")
    machine.must(f"chgrp -R empty {mine}")
    accepted(machine, f"cd {mine}; sudo ./run checkout")


def test_root_in_a_checkout_of_roots_is_not_refused(machine: Machine, mine: str) -> None:
    assert mine
    accepted(machine, "/opt/checkout/run checkout", "root")
    accepted(machine, "cd /; sudo /opt/checkout/run checkout")


def test_the_users_own_checkout_is_theirs_to_become_root_from(machine: Machine, mine: str) -> None:
    accepted(machine, f"cd {mine}; ./run checkout")


@pytest.mark.parametrize("verb", ["preflight", "provision", "rollback", "demo", "lint", "clean"])
def test_nothing_of_an_others_checkout_is_run(machine: Machine, mine: str, verb: str) -> None:
    machine.must(
        f"mv {mine} /home/mallory/rdna1-{verb}; cd /home/mallory/rdna1-{verb}; chown -R mallory: .;"
        " mkdir -p .venv/bin .cache/uv/bin sandbox;"
        " for trap in .venv/bin/python .venv/bin/ansible-playbook .venv/bin/rdna1-preflight"
        f" .cache/uv/bin/uv sandbox/box; do printf '%s' '{TRAP}' >$trap; chmod 755 $trap; done;"
        " chown -R mallory: ."
    )
    line = refusal(machine, f"cd /home/mallory/rdna1-{verb}; sudo ./run {verb}")
    assert "/home/mallory belongs to mallory" in line
    assert "chown" not in line, "what is somebody's home stays that"
    assert line.endswith("use a checkout of your own, below folders of yours or root's")


def test_who_becomes_root_later_is_refused_as_well(machine: Machine, mine: str) -> None:
    machine.must(f"chown mallory: {mine}/ansible.cfg")
    for verb in ("provision", "rollback"):
        line = refusal(machine, f"cd {mine}; ./run {verb} --check")
        assert f"{mine}/ansible.cfg belongs to mallory" in line


@pytest.mark.parametrize(
    ("change", "cause", "remedy"),
    [
        (
            "chmod o+w {0}/ansible.cfg",
            "{0}/ansible.cfg can be written by everybody",
            "chmod -R go-w",
        ),
        ("chmod 1777 {0}/installer", "{0}/installer can be written by everybody", "chmod -R go-w"),
        (
            "chgrp devs {0}/installer/rdna1/errors.py; chmod g+w {0}/installer/rdna1/errors.py",
            "{0}/installer/rdna1/errors.py can be written by the group devs (mallory)",
            "chmod -R go-w",
        ),
        (
            "chgrp mallory {0}/site.yml; chmod g+w {0}/site.yml",
            "{0}/site.yml can be written by the group mallory (mallory)",
            "chmod -R go-w",
        ),
        (
            "chgrp 4711 {0}/site.yml; chmod g+w {0}/site.yml",
            "{0}/site.yml can be written by the group 4711 (without a name)",
            "chmod -R go-w",
        ),
        (
            "setfacl -m u:mallory:rw {0}/site.yml",
            "{0}/site.yml can be written by others through an access list",
            "setfacl -b",
        ),
        (
            "setfacl -m u:mallory:rwx /home/ada",
            "/home/ada can be written by others through an access list",
            "setfacl -b",
        ),
        ("chmod o+w /home/ada", "/home/ada can be written by everybody", "chmod go-w /home/ada"),
        (
            "chgrp devs /home/ada; chmod g+w /home/ada",
            "/home/ada can be written by the group devs (mallory)",
            "chmod go-w /home/ada",
        ),
        ("chown mallory /home/ada", "/home/ada belongs to mallory", "use a checkout of your own"),
        (
            "mkdir -p {0}/.venv/bin; touch {0}/.venv/bin/x; chmod o+w {0}/.venv/bin/x",
            "{0}/.venv/bin/x can be written by everybody",
            "rm -rf {0}/.venv",
        ),
        (
            "mkdir -p {0}/.cache/uv; chown mallory {0}/.cache/uv",
            "{0}/.cache/uv belongs to mallory",
            "rm -rf {0}/.cache",
        ),
        (
            "mkdir -p /srv/venv/lib; chown mallory /srv/venv/lib; ln -s /srv/venv {0}/.venv",
            "/srv/venv/lib belongs to mallory",
            "chown -R root:",
        ),
        (
            (
                "mkdir -p {0}/.venv/bin /srv/m; ln -s /bin/sh /srv/m/python; chown mallory /srv/m;"
                " ln -s ../../../../../srv/m/python {0}/.venv/bin/python"
            ),
            "/srv/m belongs to mallory",
            "chown -R root:",
        ),
        (
            (
                "mkdir -p {0}/.venv/lib/python3.13/site-packages /srv/p; chown mallory /srv/p;"
                " echo /srv/p >{0}/.venv/lib/python3.13/site-packages/x.pth"
            ),
            "/srv/p belongs to mallory",
            "chown -R root:",
        ),
    ],
)
def test_what_others_can_write_is_refused(
    machine: Machine, mine: str, change: str, cause: str, remedy: str
) -> None:
    machine.must(change.format(mine))
    try:
        line = refusal(machine, f"cd {mine}; sudo ./run preflight")
    finally:
        machine.must("setfacl -b /home/ada; chgrp ada /home/ada")
    assert cause.format(mine) in line
    assert remedy.format(mine) in line


def test_a_link_on_the_way_does_not_hide_the_place(machine: Machine, mine: str) -> None:
    machine.must(
        f"chmod o+w {mine}/site.yml; ln -s {mine} /srv/link; ln -s /srv/link/../rdna1 /srv/two"
    )
    assert f"{mine}/site.yml" in refusal(machine, "cd /srv/two; sudo ./run preflight")
    assert f"{mine}/site.yml" in refusal(machine, "sudo /srv/two/run preflight")


def test_root_by_another_way_than_sudo_has_no_user(machine: Machine, mine: str) -> None:
    assert f"{mine} belongs to ada" in refusal(machine, f"cd {mine}; ./run preflight", "root") or (
        "/home/ada belongs to ada" in refusal(machine, f"cd {mine}; ./run preflight", "root")
    )


def test_a_name_cannot_steer_the_terminal(machine: Machine, mine: str) -> None:
    machine.must(
        f'p=$(printf \'{mine}/\\033]0;title\\007\\nrun: fine\'); touch "$p"; chmod o+w "$p"'
    )
    assert refusal(machine, f"cd {mine}; sudo ./run preflight").isprintable()


def test_help_needs_no_check(machine: Machine, mine: str) -> None:
    machine.must(f"chmod -R o+w {mine}")
    assert "usage: ./run VERB" in machine.must(f"cd {mine}; sudo ./run --help", "ada")
