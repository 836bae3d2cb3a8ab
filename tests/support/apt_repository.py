"""Signed apt repositories of fake packages, made with dpkg-deb, apt-ftparchive and gpg.

Signatures, hashes and dependencies are real; the packages hold little but their names, versions
and dependencies, and say so in their description.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rdna1.catalog.yaml_data import load

ARCHIVES = Path(__file__).with_name("archives")
FILE_SIZE = 1 << 20
DESCRIPTION = "a fake for tests of rdna1, not the real package"


class FakePackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package: the fields of its control file that matter to apt.

    Attributes:
        file: a path that it installs, so that it takes room on a disk.
        scripts: of its maintainer, by name, as ``postinst``.
    """

    name: str
    version: str = "0+fake"
    depends: str = ""
    provides: str = ""
    file: str = ""
    scripts: dict[str, str] = {}


@dataclass(frozen=True)
class SigningKey:
    """A key pair of gpg in a folder of its own."""

    home: Path
    fingerprint: str

    @property
    def public(self) -> bytes:
        """The public key in ASCII armour."""
        return _gpg(self.home, "--armor", "--export", self.fingerprint)

    @property
    def binary(self) -> bytes:
        """The public key as it is."""
        return _gpg(self.home, "--export", self.fingerprint)

    @property
    def secret(self) -> bytes:
        """The secret key, which holds the public one."""
        return _gpg(self.home, "--export-secret-keys", self.fingerprint)

    def signature(self, file: Path) -> bytes:
        """A detached signature of a file."""
        return _gpg(
            self.home, "--output=-", "--detach-sign", "--local-user", self.fingerprint, str(file)
        )

    def clearsign(self, file: Path) -> bytes:
        """The content of a file with a signature around it, as ``InRelease`` has it."""
        return _gpg(
            self.home, "--output=-", "--clearsign", "--local-user", self.fingerprint, str(file)
        )


@contextmanager
def signing_key(*, made: str = "", life: str = "0") -> Iterator[SigningKey]:
    """Make a key pair, and remove it in the end with the agent that gpg started for it.

    Args:
        made: when, as gpg's ``--faked-system-time`` has it; now, if empty.
        life: how long it lasts, as ``1d``; ``0`` is for ever.
    """
    # The path of the agent's socket must be short, as those of pytest are not.
    home = Path(tempfile.mkdtemp(prefix="rdna1-gpg-"))
    clock = [f"--faked-system-time={made}!"] if made else []
    try:
        _gpg(home, *clock, "--quick-gen-key", "Stand-in <tests@example>", "ed25519", "sign", life)
        listed = _gpg(home, "--list-keys", "--with-colons").decode()
        yield SigningKey(home, next(li for li in listed.splitlines() if "fpr:" in li).split(":")[9])
    finally:
        subprocess.run(
            ["gpgconf", "--kill", "gpg-agent"],
            env={**os.environ, "GNUPGHOME": str(home)},
            check=True,
        )
        # The agent removes its sockets at the same time.
        shutil.rmtree(home, ignore_errors=True)


def fake_packages(name: str) -> list[FakePackage]:
    """The packages of an archive in ``archives``."""
    return load(ARCHIVES / f"{name}.yml", list[FakePackage])


def publish(
    root: Path, suite: str, packages: Sequence[FakePackage], key: SigningKey, *, origin: str
) -> None:
    """Build packages and their index into ``root``, or build the index again.

    Args:
        root: of the repository, what a source names as its address.
        suite: of the repository; its one component is ``main``.
        packages: none to keep those that are there.
        key: that signs the index.
        origin: what the index calls its maker.
    """
    for package in packages:
        build_package(root / "pool" / "main", package)
    index = root / "dists" / suite / "main" / "binary-amd64"
    index.mkdir(parents=True, exist_ok=True)
    index.joinpath("Packages").write_bytes(_run(root, "apt-ftparchive", "packages", "pool"))
    fields = {"Origin": origin, "Suite": suite, "Codename": suite, "Architectures": "amd64"}
    options = [f"-oAPT::FTPArchive::Release::{k}={v}" for k, v in fields.items()]
    release = index.parents[1] / "Release"
    release.unlink(missing_ok=True)
    options.append("-oAPT::FTPArchive::Release::Components=main")
    release.write_bytes(_run(root, "apt-ftparchive", *options, "release", f"dists/{suite}"))
    release.with_name("InRelease").write_bytes(key.clearsign(release))


def package_file(root: Path, name: str) -> Path:
    """The file of a package in a repository."""
    return next((root / "pool" / "main").glob(f"{name}_*.deb"))


def build_package(pool: Path, package: FakePackage) -> None:
    """Build one package into a folder, without an index."""
    pool.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        _write_control(folder / "DEBIAN", package)
        if package.file:
            payload = folder / package.file.lstrip("/")
            payload.parent.mkdir(parents=True)
            payload.write_bytes(bytes(FILE_SIZE))
        command = ["dpkg-deb", "--build", "--root-owner-group", "-Znone", name, str(pool)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _write_control(folder: Path, package: FakePackage) -> None:
    folder.mkdir(mode=0o755)
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": "amd64",
        "Maintainer": "rdna1 tests <tests@example>",
        "Depends": package.depends,
        "Provides": package.provides,
        "Description": DESCRIPTION,
    }
    folder.joinpath("control").write_text("".join(f"{k}: {v}\n" for k, v in fields.items() if v))
    for name, script in package.scripts.items():
        folder.joinpath(name).write_text(script)
        folder.joinpath(name).chmod(0o755)


def _gpg(home: Path, *arguments: str) -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-tty"]
    return _run(home, *command, "--pinentry-mode=loopback", "--passphrase=", *arguments)


def _run(folder: Path, *command: str) -> bytes:
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE).stdout
