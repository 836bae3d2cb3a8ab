"""Part of the apt archives that a machine uses: some packages, what they need, the signed indexes.

This module travels to bare targets inside an Ansible module: standard library of Python 3.8 only.
apt resolves, downloads and verifies, with a state of its own: nothing of the machine's is touched.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .credentials import text_without_credentials, without_credentials

_URI = re.compile(r"^'([^']+)' (\S+) \d+ ", re.MULTILINE)
# What a signed index may be, as one file or as two.
_RELEASES = ("InRelease", "Release", "Release.gpg")
_LOCAL = ("file", "copy")
# What may stand in a path that an index names.
_INSIDE = re.compile(r"[A-Za-z0-9_./+~:%=@!-]+")
_UNPACK: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.decompress, ".gz": gzip.decompress}


class RepoSubsetError(Exception):
    """apt failed or its archives cannot be copied; the message says why."""


class RepoSubset:
    """The archives in ``root/tree``, taken with apt's state in ``root``.

    Args:
        root: a folder; ``sources`` and ``preferences`` in it take the place of
            ``sources.list.d`` and ``preferences.d``.
        complete: take what the machine already has as well.
    """

    def __init__(self, root: Path, *, complete: bool) -> None:
        """Make the folders that apt expects."""
        self._root = root
        self._tree = root / "tree"
        for name in ("lists", "archives/partial", "tree", "sources", "preferences"):
            (root / name).mkdir(parents=True, exist_ok=True)
        settings = {
            "Dir::State::Lists": str(root / "lists"),
            "Dir::Cache::Archives": str(root / "archives"),
            "Dir::Cache::pkgcache": str(root / "pkgcache.bin"),
            "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::SourceParts": str(root / "sources"),
            "Dir::Etc::PreferencesParts": str(root / "preferences"),
            "Acquire::Languages": "none",
            # Keeps the indexes byte for byte as they came: their hashes are in the signed file.
            "Acquire::GzipIndexes": "true",
            "Acquire::IndexTargets::deb::Packages::KeepCompressedAs": "xz gz",
            "Acquire::PDiffs": "false",
            "APT::Get::AllowUnauthenticated": "false",
        }
        if complete:
            (root / "status").touch()
            settings["Dir::State::status"] = str(root / "status")
        self._options = [f"--option={name}={value}" for name, value in settings.items()]

    def collect(self, packages: Sequence[str]) -> list[dict[str, Any]]:
        """Copy packages with all that they need, and the indexes of their archives.

        Returns:
            For each suite of those archives its ``folder`` in the tree, ``suite``, ``components``
            and ``key`` (in the tree, empty where it is not one of the work folder's).

        Raises:
            RepoSubsetError: apt cannot find, fetch or verify something.
        """
        self._apt("update", "--error-on=any")
        self._unpack_indexes()
        command = ["--yes", "--no-install-recommends", "install", *packages]
        wanted = _URI.findall(self._apt("--print-uris", *command))
        self._apt("--download-only", *command)
        targets = [t for t in self._targets() if t.get("Created-By") == "Packages"]
        used = {self._copy_package(uri, name, targets) for uri, name in wanted}
        return self._copy_indexes([t for t in targets if t["Repo-URI"] in used])

    def _unpack_indexes(self) -> None:
        """Put each list of packages next to the packed one that apt was told to keep.

        apt reads the plain one then. It seeks in a list, and in a packed one starts over for each
        package.
        """
        for packed in (self._root / "lists").glob("*_Packages.*"):
            if packed.suffix in _UNPACK:
                packed.with_suffix("").write_bytes(_UNPACK[packed.suffix](packed.read_bytes()))

    def _copy_package(self, uri: str, name: str, targets: list[dict[str, str]]) -> str:
        """Copy a package to its place in its archive; gives the address of the archive."""
        fitting = [t["Repo-URI"] for t in targets if uri.startswith(t["Repo-URI"])]
        if not fitting:
            raise RepoSubsetError(f"{without_credentials(uri)} is of no archive that apt names")
        archive = max(fitting, key=len)
        source = self._root / "archives" / name
        # apt does not copy what is in a folder of this machine.
        if not source.exists() and urlsplit(uri).scheme in _LOCAL:
            source = Path(unquote(urlsplit(uri).path))
        inside = unquote(uri[len(archive) :]).lstrip("/")
        if not _INSIDE.fullmatch(inside) or ".." in inside.split("/"):
            raise RepoSubsetError(f"{without_credentials(uri)!r} leads out of its archive")
        place = self._tree / folder_of(archive) / inside
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(source), str(place))
        return archive

    def _copy_indexes(self, targets: list[dict[str, str]]) -> list[dict[str, Any]]:
        suites: dict[tuple[str, str], dict[str, Any]] = {}
        for target in targets:
            archive = folder_of(target["Repo-URI"])
            release = unquote(target["Base-URI"][len(target["Repo-URI"]) :])
            self._copy_index(target, self._tree / archive / release)
            key = (archive, target["Release"])
            suite = suites.setdefault(
                key,
                {
                    "folder": archive,
                    "suite": target["Release"],
                    "components": [],
                    "key": self._copy_key(target.get("Signed-By", "")),
                },
            )
            if target["Component"] not in suite["components"]:
                suite["components"].append(target["Component"])
        return list(suites.values())

    def _copy_index(self, target: dict[str, str], folder: Path) -> None:
        """Copy a list of packages in a form that the signed index has the hash of."""
        kept = Path(target["Filename"])
        start = kept.name[: kept.name.rindex(target["MetaKey"].replace("/", "_"))]
        folder.mkdir(parents=True, exist_ok=True)
        signed = ""
        for name in _RELEASES:
            release = kept.with_name(start + name)
            if release.exists():
                shutil.copyfile(str(release), str(folder / name))
                signed += release.read_text(encoding="utf-8", errors="replace")
        plain = kept.with_suffix("") if kept.suffix in _UNPACK else kept
        # Where apt packed a list itself, only the plain one is what the archive signed.
        for suffix in (*_UNPACK, ""):
            form = plain.with_name(plain.name + suffix)
            if form.exists() and hashlib.sha256(form.read_bytes()).hexdigest() in signed:
                place = folder / (target["MetaKey"] + suffix)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(form), str(place))
                return
        raise RepoSubsetError(f"{kept}: its hash is not in the signed index of the archive")

    def _copy_key(self, path: str) -> str:
        """Copy the key that was put into the work folder; of others each machine has its own."""
        if Path(path).parent != self._root:
            return ""
        place = self._tree / "keys" / Path(path).name
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, str(place))
        return f"keys/{place.name}"

    def _targets(self) -> Iterator[dict[str, str]]:
        for paragraph in self._apt("indextargets").split("\n\n"):
            pairs = (line.partition(": ") for line in paragraph.splitlines())
            fields = {name: value for name, _, value in pairs}
            if fields:
                yield fields

    def _apt(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 (an argument list, no shell)
            ["apt-get", "--quiet=2", *self._options, *arguments],  # noqa: S607
            env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise RepoSubsetError(
                text_without_credentials(said) or f"apt-get ended with {done.returncode}"
            )
        return done.stdout.decode(errors="replace")


def folder_of(uri: str) -> str:
    """Return the folder in the tree for the archive of an address, without its password."""
    parts = urlsplit(without_credentials(uri))
    name = f"{parts.hostname or ''}{f'-{parts.port}' if parts.port else ''}{parts.path}"
    return "archives/" + re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")
