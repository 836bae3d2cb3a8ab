"""Packages as dpkg knows them, read from its status file and its journal.

dpkg writes each change of a package to a file of its own below ``/var/lib/dpkg/updates``, and
writes them into the status file when it ends. After a kill or a power loss the files are still
there: without them the status file tells of a past in which packages were whole.
"""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple, Sequence

from ..rootfs import MissingError, RootFs, UnreadableError

STATUS_FILE = "/var/lib/dpkg/status"
JOURNAL = "/var/lib/dpkg/updates"
_STATUS_LIMIT = 64 * 1024 * 1024
_MOST_READINGS = 5
# Of a package that has no files on the machine but for its configuration.
ABSENT = frozenset(["config-files", "not-installed"])
_SETTLED = ABSENT | {"installed"}

# Whatever belongs to ROCm or PyTorch, be it of AMD or of a distribution: exact names, each alone
# or with a version and the parts that packages are split into.
_RELEVANT = re.compile(
    r"""
    (?:lib)? (?:
      rocm(?:-[\w.+-]+)? | rocminfo | rocr | rock-dkms(?:-firmware)? | amdrocm[\w.+-]*
      | roc(?:blas|fft|rand|solver|sparse|alution|tracer|profiler|prim|thrust|wmma|dbgapi|decode
          |jpeg|al|shmem)
      | rccl | hip | hipcc | hipamd | amdhip64 | hiprtc | hiprtc-builtins | hipify(?:-clang)?
      | hip(?:blas|blas-common|blaslt|fft|rand|solver|sparse|sparselt|cub|tensor|fort)
      | hip-runtime-(?:amd|nvidia) | hsa-(?:rocr|runtime64|amd-aqlprofile|ext-rocr)
      | hsakmt | hsakmt-roct | miopen | miopen-hip | miopen-opencl | migraphx | composablekernel
      | (?:amd-)?comgr | openmp-extras | amd-smi-lib | mivisionx
      | amdgpu | drm-amdgpu-(?:amdgpu|radeon|common|dev|utils|static) | torch
    ) (?:[\d.]*\d)? (?:t64)?
      (?:-(?:core|dev|devel|doc|docs|samples|tests?|clients?\S*|plugins|bin|data|dkms|dkms-firmware
          |lib|install|pro|runtime|sdk|register|rpath\S*|asan\S*|dbgsym|static\S*|gfx\w+|\d[\d.]*)
         (?:[\d.]*\d)? (?:-\S+)?)?
    | python3-torch(?:-\S+|vision|audio)? | python3-roc(?:m|al)\S*
    """,
    re.VERBOSE,
)
_BY_AMD = "@amd.com>"
# What remedies call, which is to be there.
_CALLED = frozenset(["dkms"])


class Package(NamedTuple):
    """One entry of the status file.

    Attributes:
        name: without architecture.
        version: as dpkg has it, epoch and revision included.
        architecture: Debian's name, ``amd64`` for example.
        wanted: what was asked for: ``install``, ``hold`` and so on (dpkg-query(1)).
        flag: ``ok`` or ``reinstreq``.
        state: ``installed``, ``half-configured`` and so on (dpkg-query(1)).
        by_amd: whether AMD maintains it.
    """

    name: str
    version: str
    architecture: str
    wanted: str
    flag: str
    state: str
    by_amd: bool = False

    @property
    def installed(self) -> bool:
        """Whether its files are there and configured."""
        return self.state == "installed"

    @property
    def present(self) -> bool:
        """Whether files of it are there, configured or not."""
        return self.state not in ABSENT

    @property
    def settled(self) -> bool:
        """Whether dpkg has nothing left to do for it."""
        return self.flag == "ok" and self.state in _SETTLED

    @property
    def broken(self) -> bool:
        """Whether dpkg has to unpack it again before it can do anything else with it."""
        return self.flag == "reinstreq" or self.state == "half-installed"

    @property
    def upstream_version(self) -> str:
        """Version without epoch and revision."""
        return self.version.rpartition(":")[2].partition("-")[0]


class Status:
    """What dpkg knows of one machine, read once when first asked."""

    def __init__(self, rootfs: RootFs) -> None:
        """Ask ``rootfs`` for the files."""
        self._rootfs = rootfs
        self._entries: dict[tuple[str, str], str] | None = None
        self._packages: list[Package] | None = None

    def paragraphs(self) -> list[str]:
        """Return the entries of all packages as text, those of the journal in place of older ones.

        Raises:
            UnreadableError: the status file is missing, or one of the files cannot be read.
        """
        for _ in range(_MOST_READINGS):
            if self._entries is None:
                with contextlib.suppress(MissingError):
                    self._entries = self._read()
        if self._entries is None:
            self._entries = self._read()
        return list(self._entries.values())

    def _read(self) -> dict[tuple[str, str], str]:
        """Read status and journal; a dpkg at work may take a file of the journal away meanwhile."""
        text = self._rootfs.text(STATUS_FILE, _STATUS_LIMIT)
        entries = {_key(part): part for part in text.split("\n\n") if part.strip()}
        for name in self.journal():
            part = self._rootfs.text(f"{JOURNAL}/{name}").strip("\n")
            # dpkg itself takes an empty file, which a power loss leaves, for no entry.
            if part.strip("\0 \n"):
                _supersede(entries, part)
        return entries

    def journal(self) -> list[str]:
        """Return names of the journal's files in their order; any means that dpkg was interrupted.

        Raises:
            UnreadableError: the folder cannot be read.
        """
        names = self._rootfs.optional_names(JOURNAL)
        return sorted((n for n in names if n.isdecimal() and n.isascii()), key=int)

    def packages(self) -> list[Package]:
        """Return all entries in the file's order.

        Raises:
            UnreadableError: a file is missing or cannot be read.
        """
        if self._packages is None:
            self._packages = [_package(part) for part in self.paragraphs()]
        return self._packages

    def installed(self, name: str) -> Package:
        """Return the package of this name whose files are there.

        Raises:
            UnreadableError: it is not installed, or the file cannot be read.
        """
        found = next((p for p in self.packages() if p.name == name and p.present), None)
        if found is None:
            raise UnreadableError(f"{STATUS_FILE}: {name} is not installed")
        return found

    def native_architecture(self) -> str:
        """Return Debian's name of the machine's own architecture, ``amd64`` for example.

        Raises:
            UnreadableError: no file tells.
        """
        # The file exists where foreign architectures were added; the native one is first.
        listed = (self._rootfs.optional_text("/var/lib/dpkg/arch") or "").split()
        return listed[0] if listed else self.installed("libc6").architecture


def relevant_packages(status: Status, asked: Sequence[str] = ()) -> dict[str, str]:
    """Return name to version of the installed packages of ROCm and PyTorch, and of those asked for.

    One that is unpacked or half configured is among them: its files are there.

    Raises:
        UnreadableError: the status file cannot be read.
    """
    return {
        p.name: p.version
        for p in status.packages()
        if p.present and (p.by_amd or is_relevant(p.name) or p.name in asked or p.name in _CALLED)
    }


def journal_entries(status: Status) -> int:
    """Return how many changes an interrupted dpkg has not written into its status file.

    Raises:
        UnreadableError: the journal cannot be read.
    """
    return len(status.journal())


def half_configured(status: Status) -> list[str]:
    """Return names of the packages that dpkg did not finish with.

    Raises:
        UnreadableError: the status file cannot be read.
    """
    return [p.name for p in status.packages() if not p.settled]


def unfinished(status: Status) -> list[dict[str, str]]:
    """Give ``name``, ``version``, ``wanted``, ``flag`` and ``state`` of those of `half_configured`.

    Raises:
        UnreadableError: the status file cannot be read.
    """
    return [
        {
            "name": package.name,
            "version": package.version,
            "wanted": package.wanted,
            "flag": package.flag,
            "state": package.state,
        }
        for package in status.packages()
        if not package.settled
    ]


def held(status: Status) -> list[str]:
    """Return names of the packages that were told to stay as they are (apt-mark(8), hold).

    Raises:
        UnreadableError: the status file cannot be read.
    """
    return [p.name for p in status.packages() if p.wanted == "hold"]


def is_relevant(name: str) -> bool:
    """Return whether a package of this name belongs to ROCm or PyTorch."""
    return _RELEVANT.fullmatch(name) is not None


def _key(paragraph: str) -> tuple[str, str]:
    return _field(paragraph, "Package"), _field(paragraph, "Architecture")


def _supersede(entries: dict[tuple[str, str], str], paragraph: str) -> None:
    """Put an entry of the journal in place of the package's older one.

    A package without ``Multi-Arch: same`` is there for one architecture only: an upgrade from
    ``all`` to ``amd64``, or a removed package, whose entry names none, is the same package.
    """
    name, architecture = _key(paragraph)
    several = _field(paragraph, "Multi-Arch") == "same"
    for key, other in list(entries.items()):
        if key[0] != name or key[1] == architecture:
            continue
        is_one = "" in (architecture, key[1])
        if is_one or not (several or _field(other, "Multi-Arch") == "same"):
            del entries[key]
    entries[name, architecture] = paragraph


def _package(paragraph: str) -> Package:
    wanted, _, state = _field(paragraph, "Status").partition(" ")
    flag, _, state = state.partition(" ")
    return Package(
        name=_field(paragraph, "Package"),
        version=_field(paragraph, "Version"),
        architecture=_field(paragraph, "Architecture"),
        wanted=wanted,
        flag=flag,
        state=state,
        by_amd=_BY_AMD in paragraph and _BY_AMD in _field(paragraph, "Maintainer"),
    )


def _field(paragraph: str, name: str) -> str:
    start = f"\n{paragraph}".find(f"\n{name}: ")
    if start < 0:
        return ""
    start += len(name) + 2
    end = paragraph.find("\n", start)
    return paragraph[start:end] if end >= 0 else paragraph[start:]
