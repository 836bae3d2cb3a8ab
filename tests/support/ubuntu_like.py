"""Boxes that imitate Ubuntu, and AMD's repository next to them, all on loopback.

**They are not Ubuntu.** Such a box is the sandbox's Debian 13 with the os-release of Ubuntu and,
in place of all archives, one of fake packages: enough for apt to resolve for real what the
roles ask of it. With ``RDNA1_BOX_IMAGE_UBUNTU_22_04`` (or ``_20_04``, ``_24_04``) set to the name
of a real image, ``docker.io/library/ubuntu:22.04`` for example, the same tests run in
that, with Ubuntu's own archive.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.apt_repository import SigningKey, fake_packages, publish, signing_key
from support.box_fleet import play_refused
from support.boxes import Box, run_container, start_box
from support.wheels import serve

ROCM = "rocm/apt/5.7.1"
ROCM_5_2 = "rocm/apt/5.2.3"
DRIVER = "amdgpu/5.7.1/ubuntu"
KEY = "rocm/rocm.gpg.key"
# What no container without a card can have; for PyTorch's wheels, which these tests leave out, it
# has no room.
IGNORED = ["card", "kernel-driver", "kfd", "disk-space"]
CODENAMES = {"20.04": "focal", "22.04": "jammy", "24.04": "noble"}
# By stack: folder, suite and packages of AMD's repositories, and the releases that go with them.
REPOSITORIES = {
    "rocm-5.7": ((ROCM, "jammy", "amd-5.7.1-jammy"), (DRIVER, "jammy", "amdgpu-5.7.1-jammy")),
    "rocm-5.2": ((ROCM_5_2, "focal", "amd-5.2.3-focal"),),
}
RELEASES = {"rocm-5.7": ("22.04", "24.04"), "rocm-5.2": ("20.04", "22.04")}


@dataclass(frozen=True)
class Archives:
    """AMD's repository and Ubuntu's archives, as fakes.

    Attributes:
        folder: that is served.
        address: of the folder.
        key: that signs all of it.
    """

    folder: Path
    address: str
    key: SigningKey

    @property
    def variables(self) -> dict[str, object]:
        """What makes the roles take ROCm from here."""
        return {
            "rocm_amd_url": self.address,
            "rocm_amd_key_fingerprint": self.key.fingerprint,
            "rdna1_pytorch_source": "index",
        }


@dataclass(frozen=True)
class AmdBox:
    """A box, and the archives that it takes ROCm from."""

    box: Box
    served: Archives

    def play(self, *options: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run the role rocm and what always goes before it.

        Args:
            options: of ``ansible-playbook``.
            variables: next to those that every such run needs.
        """
        return self.box.play(*self._arguments(variables), *options)

    def refused(self, cases: Mapping[str, Mapping[str, object]]) -> str:
        """Run what `play` runs once for a name of the box for each case; all have to fail.

        Args:
            cases: variables by the name.

        Returns:
            What was printed, without its line breaks.
        """
        own = {name: self._given(variables) for name, variables in cases.items()}
        return play_refused(self.box, own, "--tags=rocm")

    def start(self, **variables: object) -> subprocess.Popen[str]:
        """Start what `play` runs; the caller reads what it prints."""
        return self.box.start(*self._arguments(variables), output=subprocess.PIPE)

    def _arguments(self, variables: Mapping[str, object]) -> list[str]:
        return ["--tags=rocm", f"--extra-vars={json.dumps(self._given(variables))}"]

    def _given(self, variables: Mapping[str, object]) -> dict[str, object]:
        return {**self.served.variables, "preflight_ignore": IGNORED, **variables}


@contextmanager
def archives(folder: Path, stack: str = "rocm-5.7") -> Iterator[Archives]:
    """Build and serve the archives.

    Args:
        folder: for them.
        stack: that they have ROCm for.
    """
    with signing_key() as key, serve(folder) as address:
        build_archives(folder, key, stack, RELEASES[stack])
        yield Archives(folder, address.rstrip("/"), key)


def build_archives(folder: Path, key: SigningKey, stack: str, versions: Iterable[str]) -> None:
    """Build AMD's repositories and Ubuntu's archives.

    Args:
        folder: for them, one below it for each.
        key: that signs all of it.
        stack: that AMD's have ROCm for.
        versions: of Ubuntu.
    """
    for root, suite, name in REPOSITORIES[stack]:
        publish(folder / root, suite, fake_packages(name), key, origin="repo.radeon.com")
    for version in versions:
        archive, packages = folder / f"ubuntu-{version}", fake_packages(f"ubuntu-{version}")
        publish(archive, CODENAMES[version], packages, key, origin="Ubuntu")
    (folder / KEY).write_bytes(key.public)


def real_image(version: str) -> str:
    """Name of the real image to use for a release, empty for the fake."""
    return os.environ.get(f"RDNA1_BOX_IMAGE_UBUNTU_{version.replace('.', '_')}", "")


def start_ubuntu_like(
    name: str, folder: Path, version: str, served: Archives, options: Sequence[str] = ()
) -> Box:
    """Start a box that takes itself for Ubuntu.

    Args:
        name: of the container.
        folder: for its inventory and reports.
        version: of Ubuntu, such as ``22.04``.
        served: the archives.
        options: further options of ``podman run``.
    """
    image = real_image(version)
    if image:
        run_container(name, image, options)
        box = Box(name, folder)
        box.run("apt-get", "-qq", "update")
        box.run("apt-get", "-qq", "install", "--no-install-recommends", "python3", "python3-apt")
        return box
    box = start_box(name, folder, options)
    codename = CODENAMES[version]
    _write(
        box,
        "/usr/lib/os-release",
        f'PRETTY_NAME="Ubuntu {version} LTS (a fake for tests: Debian 13 with another name)"\n'
        f'NAME="Ubuntu"\nVERSION_ID="{version}"\nVERSION_CODENAME={codename}\n'
        "ID=ubuntu\nID_LIKE=debian\n",
    )
    _write(box, "/usr/share/keyrings/stand-in.asc", served.key.public.decode())
    box.run("sh", "-c", "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
    _write(
        box,
        "/etc/apt/sources.list.d/ubuntu.sources",
        f"Types: deb\nURIs: {served.address}/ubuntu-{version}\nSuites: {codename}\n"
        "Components: main\nSigned-By: /usr/share/keyrings/stand-in.asc\n",
    )
    box.run("apt-get", "-qq", "update")
    return box


def _write(box: Box, path: str, content: str) -> None:
    subprocess.run(
        ["podman", "exec", "--interactive", box.name, "tee", path],
        input=content,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
