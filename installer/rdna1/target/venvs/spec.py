"""What an environment is made of."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

# Between what comes from the stack's index and what comes from that of this project.
LOCK_MARK = "# From the index of rdna1's own requirements:\n"
# And before what source distributions are built with; a lock without any has none of it.
BUILD_MARK = "# From the same index, to build source distributions with:\n"


class Spec(NamedTuple):
    """One environment.

    Attributes:
        stack: its name.
        prefix: folder that holds the link, the environments, Pythons and uv's cache.
        uv: the program.
        wheel: of this project; it and uv need to be there for a build only.
        wheel_digest: SHA-256 of the wheel, in hexadecimal digits.
        uv_digest: the same of uv, which is compared before it is run; empty for a uv that was not
            copied.
        sources: ``name`` and ``environment``, the variables of its build, of each package that the
            stack's index has as a source distribution alone.
        execstack: names of libraries whose flag for an executable stack is cleared; none where
            the machine's glibc ignores it.
        python: version such as ``3.12``.
        python_path: an interpreter of the system, empty for one that uv manages.
        python_mirror: where uv takes its Pythons from, empty for its own choice.
        lock: all wheels with their hashes, empty where the system's packages are used instead.
        index_url: of the stack's wheels.
        project_index_url: of what this project itself imports, empty for PyPI.
        find_links: folder with all wheels, in place of the indexes; empty for those.
        python_cache: folder with the archives of uv's Pythons; empty to fetch them.
    """

    stack: str
    prefix: Path
    uv: Path
    wheel: Path
    wheel_digest: str
    python: str
    python_path: str = ""
    python_mirror: str = ""
    lock: str = ""
    index_url: str = ""
    project_index_url: str = ""
    find_links: str = ""
    python_cache: str = ""
    uv_digest: str = ""
    sources: Sequence[Mapping[str, Any]] = ()
    execstack: Sequence[str] = ()

    @property
    def folder(self) -> Path:
        """Folder of all environments."""
        return self.prefix / "environments"

    @property
    def link(self) -> Path:
        """Where users find the environment of the stack."""
        return self.prefix / self.stack

    def identity(self) -> str:
        """Return the short hash of everything that decides what the environment holds.

        Where the wheels come from does not: their hashes are in the lock.
        """
        decisive: list[object] = [self.python, self.python_path, self.lock, self.wheel_digest]
        if self.sources:
            decisive.append(
                [
                    [
                        str(source["name"]),
                        {str(k): str(v) for k, v in source["environment"].items()},
                    ]
                    for source in self.sources
                ]
            )
        decisive += self.execstack
        text = json.dumps(decisive, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def sections(self) -> list[tuple[str, str]]:
        """Return the lock in two parts, each with the one index that it may come from."""
        stack, project, _ = parts(self.lock)
        built = self.source_entries().values()
        wheels = "".join(entry for entry in entries(stack) if entry not in built)
        return [(wheels, self.index_url), (project, self.project_index_url)]

    def source_entries(self) -> dict[str, str]:
        """Return name to entry of what the stack says is a source distribution in the lock."""
        names = [source["name"] for source in self.sources]
        found = ((entry_name(entry), entry) for entry in entries(parts(self.lock)[0]))
        return {name: entry for name, entry in found if name in names}

    def build_section(self) -> tuple[str, str]:
        """Return what source distributions are built with, and the one index it may come from."""
        return parts(self.lock)[2], self.project_index_url


def parts(lock: str) -> tuple[str, str, str]:
    """Return what the stack needs, what this project needs, and what sources are built with.

    The first two make up an environment.
    """
    stack, _, others = lock.partition(LOCK_MARK)
    project, _, build = others.partition(BUILD_MARK)
    return stack, project, build


def entries(lock: str) -> list[str]:
    """Return all of a lock but its comments.

    Each requirement with the indented lines of its hashes.
    """
    found = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)
    return [part for part in found if part.strip() and not part.startswith("#")]


def entry_name(entry: str) -> str:
    """Return normalised name of the distribution that an entry is of (PEP 503)."""
    match = re.match(r"[\w.-]+", entry, re.ASCII)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def digest(path: Path) -> str:
    """Return SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()
