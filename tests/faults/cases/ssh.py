"""A machine behind a real sshd, in a network of its own, whose connection is dropped.

Controller, machine and archive are in a network namespace that the case makes; its one interface
is the loopback, which is what is cut.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from faults import processes
from faults.assess import full_state
from faults.cases.bench import Bench, refused, shell, wait_for_phase
from faults.machines import LABEL, PREFIX, Machine, commit
from faults.plays import PROVISION, Play
from support.boxes import remove_box, start_box

PORT = 2222
IMAGE = "ssh"
# Into the transaction, so that dpkg is at work.
_LATER_SECONDS = 3
_DEBIAN = "/root/debian.list"


def dropped(bench: Bench, how: str, way: str) -> list[str]:
    """A connection that is lost in the middle of the transaction, and is there again later.

    Args:
        bench: of the case.
        how: ``reset`` ends the server's side; ``silent`` cuts the network without a word.
        way: what comes next.
    """
    with _network(bench) as (namespace, machine):
        before = full_state(machine)
        play = _start(bench, namespace, machine, "1-dropped")
        wait_for_phase(play, "provision", "transaction")
        time.sleep(_LATER_SECONDS)
        if how == "reset":
            processes.kill(processes.inside(machine.init(), "sshd-session"))
        else:
            _ip("-n", namespace, "link", "set", "lo", "down")
        status = play.wait()
        play.end()
        _ip("-n", namespace, "link", "set", "lo", "up")
        problems = refused(play, status, "unreachable=1")
        # From here on by the container's own way in, which reaches the same machine.
        if way == "rerun":
            for log in ("2-rerun", "3-second"):
                second, status = bench.play(machine, log=log)
                problems += [] if status == 0 else [f"{log} ended with {status}"]
            problems += [] if second.changed_nothing() else ["the second run changed something"]
        return [*problems, *bench.roll_back(machine, before)]


def _start(bench: Bench, namespace: str, machine: Machine, log: str) -> Play:
    key = bench.folder / "key"
    options = f"-i {key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    variables = {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": PORT,
        "ansible_user": "root",
        "ansible_ssh_common_args": options,
    }
    return Play(
        machine,
        PROVISION,
        bench.folder / f"{log}.log",
        variables=variables,
        environment={"ANSIBLE_SSH_CONTROL_PATH_DIR": tempfile.gettempdir()},
        prefix=("ip", "netns", "exec", namespace, "ansible-playbook"),
    )


@contextmanager
def _network(bench: Bench) -> Iterator[tuple[str, Machine]]:
    """A namespace with the archive and a machine whose sshd answers in it."""
    image = _image(bench)
    namespace = f"{PREFIX}-{bench.name}"
    _ip("netns", "add", namespace)
    try:
        _ip("-n", namespace, "link", "set", "lo", "up")
        served = bench.reference.virgin.served
        port = served.address.rpartition(":")[2]
        command = [sys.executable, "-u", "-m", "http.server", port, "--bind=127.0.0.1"]
        with subprocess.Popen(
            ["ip", "netns", "exec", namespace, *command, f"--directory={served.folder}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                _wait_until_it_serves(server)
                machine = bench.machine(f"--network=ns:/run/netns/{namespace}", image=image)
                _let_in(bench, machine)
                yield namespace, machine
            finally:
                server.kill()
                bench.close()
    finally:
        _ip("netns", "delete", namespace)


def _wait_until_it_serves(server: subprocess.Popen[bytes]) -> None:
    """Wait for the one line that it prints, once it listens.

    Raises:
        RuntimeError: it ended before.
    """
    if not server.stdout or not server.stdout.readline():
        raise RuntimeError(f"the archive's server ended with {server.wait()}")


def _let_in(bench: Bench, machine: Machine) -> None:
    """Start sshd, with the case's key."""
    key = bench.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    # Not in root's home, which is compared.
    shell(
        machine, f"mkdir -p /run/sshd; echo '{public}' > /run/sshd/keys; chmod 600 /run/sshd/keys"
    )
    shell(
        machine,
        f"/usr/sbin/sshd -p {PORT} -o ListenAddress=127.0.0.1"
        " -o AuthorizedKeysFile=/run/sshd/keys -o StrictModes=no",
    )


def _image(bench: Bench) -> str:
    """The virgin image with Debian's sshd added, from the sandbox's own sources."""
    name = f"{bench.reference.virgin.image.rpartition(':')[0]}:{IMAGE}-{bench.name}"
    machine = bench.machine(name="-image")
    sources = _debian_sources(bench, f"{machine.name}-sources")
    machine.run("sh", "-euc", f"cat > {_DEBIAN} <<'EOF'\n{sources}\nEOF")
    lists = "/var/lib/apt/lists"
    options = f"-qq -o Dir::Etc::sourcelist={_DEBIAN} -o Dir::Etc::sourceparts=/dev/null"
    shell(
        machine,
        f"cp -a {lists} /root/lists; apt-get {options} update;"
        f"DEBIAN_FRONTEND=noninteractive apt-get {options} install --no-install-recommends"
        f" openssh-server >/dev/null; rm -r {_DEBIAN} {lists}; mv /root/lists {lists}",
    )
    commit(machine.name, name)
    machine.remove()
    return name


def _debian_sources(bench: Bench, container: str) -> str:
    """Where the sandbox's own packages are from."""
    box = start_box(container, bench.folder, [f"--label={LABEL}=box"])
    try:
        return box.run("sh", "-c", "cat /etc/apt/sources.list.d/*.list")
    finally:
        remove_box(container)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
