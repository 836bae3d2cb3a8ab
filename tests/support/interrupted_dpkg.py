"""A real dpkg in a folder of its own, killed by a script of a package that it configures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.apt_repository import FakePackage, build_package

# The script's parent is dpkg itself. Once only: the next dpkg goes on.
KILL_DPKG = "#!/bin/sh\n[ -e {mark} ] && exit 0\ntouch {mark}\nkill -KILL $PPID\n"


class DpkgRoot:
    """A machine as far as dpkg is concerned.

    Attributes:
        root: its root folder.
    """

    def __init__(self, root: Path) -> None:
        """Make an empty database."""
        self.root = root
        self._pool = root.with_name(f"{root.name}-pool")
        self.admin = root / "var/lib/dpkg"
        for name in ("info", "updates", "triggers"):
            (self.admin / name).mkdir(parents=True)
        (self.admin / "status").touch()
        (self.admin / "arch").write_text("amd64\n")

    def killer(self, name: str) -> FakePackage:
        """A package whose configuration kills dpkg the first time."""
        script = KILL_DPKG.format(mark=self.root / f"{name}-killed")
        return FakePackage(name, scripts={"postinst": script})

    def install(self, packages: Sequence[FakePackage]) -> int:
        """Install packages; returns dpkg's exit status, negative for the signal that killed it."""
        for package in packages:
            build_package(self._pool, package)
        files = [str(next(self._pool.glob(f"{p.name}_{p.version}_*.deb"))) for p in packages]
        return self.dpkg("--install", *files)

    def dpkg(self, *arguments: str) -> int:
        """Run dpkg on this machine."""
        command = ["dpkg", f"--root={self.root}", "--force-script-chrootless", *arguments]
        path = "/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            command, env={**os.environ, "PATH": path}, capture_output=True, check=False
        )
        return done.returncode

    def query(self) -> dict[str, str]:
        """Name to state of each package as dpkg-query tells, which reads the journal."""
        form = "--showformat=${Package} ${db:Status-Eflag} ${db:Status-Status}\n"
        shown = subprocess.run(
            ["dpkg-query", f"--admindir={self.admin}", "--show", form],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return {line.split()[0]: " ".join(line.split()[1:]) for line in shown.splitlines()}
