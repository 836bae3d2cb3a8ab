"""Virgin machines to break: small, signed by our own archive, each started from one image.

The machine is the sandbox's fake for Ubuntu 24.04 (`support.ubuntu_like`) with AMD's repository
and an index of small wheels on loopback. apt, dpkg, gpg and uv are real; the packages hold a file
of one MiB and maintainer scripts that take a moment, so that a kill can hit the middle of them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from faults.weather import Weather, weather
from rdna1.catalog.stacks import DEFAULT_STACK
from support.apt_repository import FakePackage, SigningKey, fake_packages, publish, signing_key
from support.boxes import ROOT, VARIABLES, Box, remove_box, run_container
from support.pythons import add_lent, find_python, lending
from support.ubuntu_like import (
    CODENAMES,
    IGNORED,
    REPOSITORIES,
    Archives,
    build_archives,
    start_ubuntu_like,
)
from support.wheel_boxes import HOST_PYTHONS, add_own_requirements, fill_index

PREFIX = "rdna1-faults"
# What './run clean' and sandbox/box purge look for.
LABEL = "io.rdna1.sandbox"
RELEASE = "24.04"
USER = "ada"
STACK = DEFAULT_STACK
MOMENT = "#!/bin/sh\nsleep 0.1\n"
SCRIPTS = dict.fromkeys(("preinst", "postinst", "prerm"), MOMENT)
# What an owner has before the first run, next to what every machine has.
OWNERS_THINGS = f"""
useradd --create-home --shell /bin/bash {USER}
printf 'export EDITOR=vi\\nexport MIOPEN_FIND_ENFORCE=3\\n' > /home/{USER}/.bashrc
chown {USER}: /home/{USER}/.bashrc
chmod 604 /home/{USER}/.bashrc
mkdir -p /opt/owner
echo mine > /opt/owner/mine
echo OWNER=1 > /etc/profile.d/owner.sh
"""


# An image keeps neither inodes nor parts of seconds, so a copied machine has other ones than its
# snapshots name. A machine that is only started again keeps them; the copy stands for one.
ADOPT = """
import json, os, pathlib

def adopt(path, entry):
    owners = {uid for uid, _, _ in entry.get("parents", [])}
    if owners:
        found = [os.stat(folder) for folder in reversed(pathlib.Path(path).parents)]
        entry["parents"] = [[s.st_uid, s.st_dev, s.st_ino] for s in found if s.st_uid in owners]
    if "changed_ns" in entry and os.path.isfile(path):
        now = os.stat(path).st_mtime_ns
        if now // 10**9 == entry["changed_ns"] // 10**9:
            entry["changed_ns"] = now

for record in pathlib.Path("/var/lib/rdna1/snapshots").glob("*/*.json"):
    content = json.loads(record.read_text())
    for path, entry in content.get("files", {}).items():
        if entry:
            adopt(path, entry)
    record.write_text(json.dumps(content))
"""


@dataclass(frozen=True)
class Machine(Box):
    """A running machine, and the playbooks against it with the variables that all runs share.

    Attributes:
        variables: of its inventory.
        mounts: folders that are file systems of their own.
        checkout: of the project, whose playbooks run.
    """

    variables: Mapping[str, object] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    checkout: Path = ROOT

    def inventory(self, **more: object) -> Path:
        """Write the inventory, with further variables."""
        file = self.folder / "inventory" / f"{self.name}.json"
        file.parent.mkdir(exist_ok=True)
        given = {**self.variables, **more, "rdna1_report_dir": str(self.folder / "reports")}
        file.write_text(json.dumps({"all": {"hosts": {self.name: given}}}))
        return file

    def init(self) -> int:
        """The process id, outside, of the machine's first process."""
        shown = podman("container", "inspect", "--format={{.State.Pid}}", self.name)
        return int(shown)

    def root(self) -> Path:
        """Where the machine's file system is mounted outside."""
        return Path(
            podman(
                "container", "inspect", "--format={{.GraphDriver.Data.MergedDir}}", self.name
            ).strip()
        )

    def runs(self) -> bool:
        """Whether it runs."""
        asked = ["podman", "container", "inspect", "--format={{.State.Running}}", self.name]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
        return found.stdout.strip() == "true"

    def remove(self) -> None:
        """Remove it, whatever state it is in."""
        remove_box(self.name)

    def kill(self) -> None:
        """Take the power: every process of the machine ends at once."""
        with suppress(subprocess.CalledProcessError):
            podman("kill", self.name)

    def boot(self) -> None:
        """Start it again, with the file system that it had."""
        podman("start", self.name)


@dataclass(frozen=True)
class Virgin:
    """The image of a machine that no run has changed, and what it installs from.

    Attributes:
        image: its name.
        served: the archives, with the index of wheels next to them.
        python: an interpreter of this machine that every machine has mounted.
        server: of both.
        checkout: of the project, whose playbooks run.
    """

    image: str
    served: Archives
    python: Path
    server: Weather
    checkout: Path = ROOT

    def start(
        self,
        name: str,
        folder: Path,
        options: Sequence[str] = (),
        *,
        image: str = "",
        mounts: Mapping[str, str] | None = None,
    ) -> Machine:
        """Start a machine.

        Args:
            name: of its container, without the prefix.
            folder: for its inventory, reports and logs.
            options: further ones of ``podman run``.
            image: another than the virgin one.
            mounts: folders of the machine, and the volume that is mounted at each.
        """
        folder.mkdir(parents=True, exist_ok=True)
        container = f"{self.image.rpartition('/')[2].partition(':')[0]}-{name}"
        remove_box(container)
        volumes = [f"--volume={volume}" for volume in (mounts or {}).values()]
        given = [*_options(container, self.python), *volumes, *options]
        run_container(container, image or self.image, given)
        machine = Machine(container, folder, self.variables, tuple(mounts or ()), self.checkout)
        if image:
            machine.run("python3", "-c", ADOPT)
        return machine

    @property
    def variables(self) -> dict[str, object]:
        """Variables of every inventory."""
        return {
            **VARIABLES,
            **self.served.variables,
            "rdna1_rocm_source": "amd",
            "rdna1_users": [USER],
            "preflight_ignore": IGNORED,
            "pytorch_index_url": f"{self.served.address}/index/",
            "pytorch_project_index_url": f"{self.served.address}/index/",
        }


@contextmanager
def virgin(folder: Path, name: str, checkout: Path = ROOT) -> Iterator[Virgin]:
    """Make the image of a virgin machine, and serve what it installs from.

    Args:
        folder: for archives and wheels.
        name: that distinguishes this image from others at the same time.
        checkout: of the project, whose playbooks run.
    """
    python = find_python(HOST_PYTHONS[STACK])
    if python is None:
        raise FileNotFoundError(
            f"no Python {HOST_PYTHONS[STACK]} on this machine. Remedy: install one"
        )
    image = f"localhost/{PREFIX}-{name}:virgin"
    container = f"{PREFIX}-{name}-virgin"
    with signing_key() as key, weather(folder) as server:
        served = Archives(folder, server.address, key)
        _fill(folder, key)
        try:
            box = start_ubuntu_like(container, folder, RELEASE, served, _options(container, python))
            add_lent(box, python)
            box.run("sh", "-euc", OWNERS_THINGS)
            commit(container, image)
            remove_box(container)
            yield Virgin(image, served, python, server, checkout)
        finally:
            remove_all(name)


def commit(container: str, image: str) -> None:
    """Keep the file system of a machine as an image."""
    podman("commit", "--quiet", f"--change=LABEL {LABEL}=image", container, image)


def remove_all(name: str) -> None:
    """Remove the containers and images of a name, whatever state they are in."""
    start = f"{PREFIX}-{name}"
    for container in podman("ps", "--all", "--format={{.Names}}").split():
        if container.startswith(f"{start}-"):
            remove_box(container)
    for image in podman("images", "--format={{.Repository}}:{{.Tag}}").split():
        if image.startswith(f"localhost/{start}:"):
            podman("rmi", "--force", image)


def podman(*arguments: str) -> str:
    """Run podman, which has to succeed; gives what it printed."""
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _fill(folder: Path, key: SigningKey) -> None:
    build_archives(folder, key, STACK, [RELEASE])
    for root, suite, packages in REPOSITORIES[STACK]:
        slow = [_slow(package) for package in fake_packages(packages)]
        publish(folder / root, suite, slow, key, origin="repo.radeon.com")
    archive = folder / f"ubuntu-{RELEASE}"
    slow = [_slow(package) for package in fake_packages(f"ubuntu-{RELEASE}")]
    publish(archive, CODENAMES[RELEASE], slow, key, origin="Ubuntu")
    fill_index(folder / "index")
    add_own_requirements(folder / "index", HOST_PYTHONS[STACK])


def _slow(package: FakePackage) -> FakePackage:
    """A package with a file, and with scripts that take a moment."""
    return replace(package, file=f"/usr/lib/{package.name}-stand-in/data", scripts=SCRIPTS)


def _options(container: str, python: Path) -> list[str]:
    return [
        f"--hostname={PREFIX}",
        f"--label={LABEL}=box",
        f"--label=io.rdna1.faults={container}",
        lending(python),
    ]
