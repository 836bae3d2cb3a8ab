"""Make a lock file with uv's resolver, and check one against what is wanted."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import tomllib
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rdna1.environments.spec import LOCK_MARK, entries
from rdna1.locks.form import LockError, locked
from rdna1.target.credentials import text_without_credentials
from rdna1.target.folders import make_folders
from rdna1.target.whole_file import write_whole

_HEAD: Final = (
    "# The wheels of this stack and their hashes, from the first run. Every later run, on every\n"
    "# host, installs these and nothing else. To make it anew: -e pytorch_lock_renew=true\n"
)
# What may come from the user's own settings; see rdna1.environments.build.
_KEPT: Final = frozenset({"UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_SYSTEM_CERTS"})
_RENEW: Final = "Remedy: -e pytorch_lock_renew=true makes it anew; compare the two before you go on"


class Wanted(NamedTuple):
    """What a lock is to hold.

    Attributes:
        stack: PEP 508 requirements of the stack.
        project: those of this project.
        python: version such as ``3.12``.
        index_url: the one index of the stack's requirements.
        project_index_url: the one of this project's, empty for PyPI.
    """

    stack: Sequence[str]
    project: Sequence[str]
    python: str
    index_url: str
    project_index_url: str


class LockedFile(NamedTuple):
    """A wheel: its address and its hash."""

    url: str
    sha256: str


def make_lock(wanted: Wanted, uv: Path) -> str:
    """Resolve all requirements; what comes from one index cannot come from the other.

    uv takes the hashes from the index, and downloads what has none there to compute it.

    Raises:
        LockError: an index cannot be reached or lacks a wheel, in uv's words.
    """
    stack = _compile(wanted.stack, "", wanted.index_url, wanted.python, uv)
    # Where both need a package it is the stack's.
    pins = "".join(f"{name}=={version}\n" for name, version in _pins(stack).items())
    project = _compile(wanted.project, pins, wanted.project_index_url, wanted.python, uv)
    shared = _pins(stack).keys()
    own = [entry for entry in entries(project) if not _pins(entry).keys() & shared]
    text = f"{_HEAD}{stack}{LOCK_MARK}{''.join(own)}"
    locked(text)
    return text


def read_lock(path: Path, wanted: Wanted) -> str:
    """Return a lock, checked to be one for what is wanted: versions with hashes alone.

    Whether every file fits its hash is for uv to say when it installs.

    Raises:
        LockError: it cannot be read, or lacks or contradicts a requirement.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"the lock file {path} cannot be read: {error}") from error
    if LOCK_MARK not in text:
        raise LockError(f"the lock file {path} was not made by this project. {_RENEW}")
    try:
        pins = {package.name: package.version for package in locked(text)}
    except LockError as error:
        raise LockError(f"the lock file {path} is damaged: {error}. {_RENEW}") from error
    for requirement in map(Requirement, [*wanted.stack, *wanted.project]):
        version = pins.get(canonicalize_name(requirement.name))
        if version is None:
            raise LockError(f"the lock file {path} has no entry for {requirement.name}. {_RENEW}")
        if not requirement.specifier.contains(version, prereleases=True):
            raise LockError(
                f"the lock file {path} has {requirement.name} {version}, and the stack asks for "
                f"{requirement.specifier}. {_RENEW}"
            )
    return text


def locked_files(lock: str, wanted: Wanted, uv: Path) -> list[LockedFile]:
    """Where the wheels of a lock are, each from the one index that it may come from.

    Raises:
        LockError: an index cannot be reached, or has no file with a hash of the lock.
    """
    stack, _, project = lock.partition(LOCK_MARK)
    sections = [(stack, wanted.index_url), (project, wanted.project_index_url)]
    return [
        file
        for text, index_url in sections
        if text.strip()
        for file in _wheels(
            _compile([text], "", index_url, wanted.python, uv, "--format=pylock.toml", "--no-deps"),
            text,
        )
    ]


def _wheels(pylock: str, lock: str) -> list[LockedFile]:
    """The wheels that uv names (PEP 751) and the lock has a hash of."""
    files = []
    for package in tomllib.loads(pylock).get("packages", []):
        fitting = [
            LockedFile(wheel["url"], wheel["hashes"]["sha256"])
            for wheel in package.get("wheels", [])
            if f"sha256:{wheel['hashes']['sha256']}" in lock
        ]
        if not fitting:
            raise LockError(
                f"the index has no wheel of {package['name']} with a hash of the lock. {_RENEW}"
            )
        files += fitting
    return files


def write_lock(path: Path, text: str) -> None:
    """Write a lock whole or not at all.

    Raises:
        LockError: the folder cannot be written.
    """
    try:
        make_folders(path.parent)
        write_whole(path, text.encode(), 0o644)
    except OSError as error:
        raise LockError(
            f"the lock file {path} cannot be written: {error.strerror}. "
            "Remedy: name another folder with pytorch_lock_dir"
        ) from error


def _compile(
    requirements: Sequence[str],
    constraints: str,
    index_url: str,
    python: str,
    uv: Path,
    *options: str,
) -> str:
    with tempfile.TemporaryDirectory() as folder:
        limits = Path(folder) / "constraints.txt"
        limits.write_text(constraints)
        command = [
            *(str(uv), "pip", "compile", "--no-config", "--no-progress", "--no-python-downloads"),
            *("--generate-hashes", "--no-header", "--no-annotate", "--no-strip-extras"),
            # The oldest glibc among the releases is 2.31; this platform's is 2.28.
            *("--python-version", python, "--python-platform", "x86_64-unknown-linux-gnu"),
            # What is built runs here, and its requirements are in no lock.
            "--no-build",
            *(("--default-index", index_url) if index_url else ()),
            *options,
            *("--constraints", str(limits), "-"),
        ]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("UV_") or k in _KEPT}
        try:
            done = subprocess.run(  # noqa: S603 (an argument list, no shell)
                command,
                input="\n".join(requirements),
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise LockError(f"{uv}: {error.strerror}") from error
    # uv only warns and takes a version without it, which would hold no code for the card.
    if done.returncode != 0 or "does not have an extra named" in done.stderr:
        said = text_without_credentials(done.stderr.strip())
        raise LockError(said or f"uv ended with {done.returncode}")
    return done.stdout


def _pins(text: str) -> dict[str, str]:
    """Normalised name to version of every entry that is pinned."""
    pins: dict[str, str] = {}
    for entry in entries(text):
        line = entry.partition("\n")[0].rstrip("\\ ")
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        versions = [s.version for s in requirement.specifier if s.operator == "=="]
        if versions:
            pins[canonicalize_name(requirement.name)] = versions[0]
    return pins
