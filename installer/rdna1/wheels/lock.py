"""Make a lock file with uv's resolver, and check one against what is wanted."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rdna1.catalog.pytorch import SourceDistribution
from rdna1.target.credentials import text_without_credentials
from rdna1.target.folders import make_folders
from rdna1.target.venvs.spec import BUILD_MARK, LOCK_MARK, entries, entry_name, parts
from rdna1.target.venvs.uv_settings import only_wheels, settings
from rdna1.target.venvs.uv_variables import uv_variables
from rdna1.target.whole_file import write_whole
from rdna1.wheels.address import refuse_insecure_file
from rdna1.wheels.form import LockError, locked

_HEAD: Final = (
    "# The wheels of this stack and their hashes, from the first run. Every later run, on every\n"
    "# host, installs these and nothing else. To make it again: -e pytorch_lock_renew=true\n"
)
# What builds: uv would take its own settings and network along.
_BUILDER: Final = "pip>=23"
_OWN_VERSION: Final = "=={version}"
_RENEW: Final = (
    "Remedy: -e pytorch_lock_renew=true makes it again; compare the two before you go on"
)


class Wanted(NamedTuple):
    """What a lock is to hold.

    Attributes:
        stack: PEP 508 requirements of the stack.
        project: those of this project.
        python: version such as ``3.12``.
        index_url: the one index of the stack's requirements.
        project_index_url: the one of this project's, empty for PyPI.
        sources: what of the stack has to be built.
        http: whether files may come from http addresses, too.
    """

    stack: Sequence[str]
    project: Sequence[str]
    python: str
    index_url: str
    project_index_url: str
    sources: Sequence[SourceDistribution] = ()
    http: bool = False


class LockedFile(NamedTuple):
    """A wheel or a source distribution: its address and its hash."""

    url: str
    sha256: str


def make_lock(wanted: Wanted, uv: Path) -> str:
    """Resolve all requirements; what comes from one index cannot come from the other.

    uv takes the hashes from the index, and downloads what has none there to compute it.

    Raises:
        LockError: an index cannot be reached or lacks a wheel, in uv's words.
    """
    stack = _section(wanted.stack, "", wanted.index_url, wanted, uv)
    # Where both need a package it is the stack's.
    pins = "".join(f"{name}=={version}\n" for name, version in _pins(stack).items())
    project = _section(wanted.project, pins, wanted.project_index_url, wanted, uv)
    shared = _pins(stack).keys()
    own = [entry for entry in entries(project) if not _pins(entry).keys() & shared]
    text = f"{_HEAD}{stack}{LOCK_MARK}{''.join(own)}"
    needed = [need for s in wanted.sources if s.name in shared for need in s.build_requires]
    if shared & {source.name for source in wanted.sources}:
        build = _section([_BUILDER, *needed], "", wanted.project_index_url, wanted, uv)
        text += f"{BUILD_MARK}{build}"
    locked(text)
    return text


def _section(
    requirements: Sequence[str], constraints: str, index_url: str, wanted: Wanted, uv: Path
) -> str:
    """Return a section of a new lock, whose files all come from where its owner trusts."""
    if not requirements:
        return ""
    text = _resolve(requirements, constraints, index_url, wanted, uv)
    found = _found([text], index_url, wanted, uv)
    for file in (file for files in found.values() for file in files):
        refuse_insecure_file(file.url, http=wanted.http)
    # Of a source distribution whose dependencies are said uv does not compute the hash here.
    return "".join(_with_hashes(entry, found) for entry in entries(text))


def _resolve(
    requirements: Sequence[str], constraints: str, index_url: str, wanted: Wanted, uv: Path
) -> str:
    """Return what uv finds, source distributions with what is of their own version."""
    text = _compile(requirements, constraints, index_url, wanted, uv)
    own = {source.name for source in wanted.sources if _OWN_VERSION in repr(source.requires)}
    versions = {name: version for name, version in _pins(text).items() if name in own}
    if not versions:
        return text
    # What they need is known now that their version is, and it must stay.
    constraints += "".join(f"{name}=={version}\n" for name, version in versions.items())
    sources = [
        msgspec.structs.replace(
            source,
            requires=[
                need.replace(_OWN_VERSION, f"=={versions.get(source.name, '0')}")
                for need in source.requires
            ],
        )
        for source in wanted.sources
    ]
    return _compile(requirements, constraints, index_url, wanted._replace(sources=sources), uv)


def _with_hashes(entry: str, found: Mapping[str, Sequence[LockedFile]]) -> str:
    if "--hash=" in entry:
        return entry
    hashes = sorted(file.sha256 for file in found.get(entry_name(entry), []))
    lines = [entry.rstrip("\n"), *(f"    --hash=sha256:{value}" for value in hashes)]
    return " \\\n".join(lines) + "\n"


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
        packages = locked(text)
    except LockError as error:
        raise LockError(f"the lock file {path} is damaged: {error}. {_RENEW}") from error
    pins = {package.name: package.version for package in packages.environment}
    if pins.keys() & {source.name for source in wanted.sources} and not packages.build:
        raise LockError(
            f"the lock file {path} does not say what source distributions are built with. {_RENEW}"
        )
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
    """Return where the wheels of a lock are, each from the one index that it may come from.

    Raises:
        LockError: an index cannot be reached, or has no file with a hash of the lock.
    """
    stack, project, build = parts(lock)
    sections = [
        (stack, wanted.index_url),
        (project, wanted.project_index_url),
        (build, wanted.project_index_url),
    ]
    return [
        file
        for text, index_url in sections
        if text.strip()
        for name, files in _found([text], index_url, wanted, uv).items()
        for file in _fitting(name, files, text)
    ]


def _fitting(name: str, files: Sequence[LockedFile], lock: str) -> list[LockedFile]:
    """Return the files that the lock has a hash of."""
    fitting = [file for file in files if f"sha256:{file.sha256}" in lock]
    if not fitting:
        raise LockError(f"the index has no file of {name} with a hash of the lock. {_RENEW}")
    return fitting


def _found(
    pinned: Sequence[str], index_url: str, wanted: Wanted, uv: Path
) -> dict[str, list[LockedFile]]:
    """Return normalised name to files that uv finds of pinned packages (PEP 751)."""
    # Python 3.11, as the controller has: ansible-core needs it. An environment may have 3.10.
    import tomllib

    options = ("--format=pylock.toml", "--no-deps")
    pylock = _compile(pinned, "", index_url, wanted, uv, *options)
    return {
        package["name"]: [
            LockedFile(file["url"], file["hashes"]["sha256"])
            for file in [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
            if "sha256" in file["hashes"]
        ]
        for package in tomllib.loads(pylock).get("packages", [])
    }


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
    wanted: Wanted,
    uv: Path,
    *options: str,
) -> str:
    sources = [
        {
            "name": source.name,
            "requires": [need.replace(_OWN_VERSION, "") for need in source.requires],
            "extras": source.extras,
        }
        for source in wanted.sources
    ]
    with tempfile.TemporaryDirectory() as folder:
        limits = Path(folder) / "constraints.txt"
        limits.write_text(constraints)
        # uv warns of a file with nothing in it.
        limited = ["--constraints", str(limits)] if constraints.strip() else []
        described = Path(folder) / "uv.toml"
        described.write_text(settings(index_url, sources))
        command = [
            *(
                str(uv),
                "pip",
                "compile",
                "--config-file",
                str(described),
                "--no-progress",
                "--no-python-downloads",
            ),
            *("--generate-hashes", "--no-header", "--no-annotate", "--no-strip-extras"),
            # Else uv starts each Python of the controller, to look for one of that version.
            *("--python", sys.executable),
            # The oldest glibc among the releases is 2.31; this platform's is 2.28.
            *("--python-version", wanted.python, "--python-platform", "x86_64-unknown-linux-gnu"),
            # Nothing is built here: of a source that the stack names all is known.
            *only_wheels(sources),
            *options,
            *limited,
            "-",
        ]
        try:
            done = subprocess.run(  # noqa: S603 (an argument list, no shell)
                command,
                input="\n".join(requirements),
                env=uv_variables(),
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
    """Return normalised name to version of every entry that is pinned."""
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
