"""A place to build wheels from source distributions: tools, sources and results kept apart.

Its owner alone can write to the tools and the sources. What the build may write is a folder of its
own, from which one file is taken when everything that the build started has ended.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping

from ..printable import printable_lines
from .built_wheel import take_wheel
from .spec import entry_name
from .unprivileged import UnprivilegedError, how_it_ended, run_unprivileged, unused_id

_PREFIX = ".building-"
_SECONDS = 1800.0
_LAST_OF_LOG = 4000
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class WorkshopError(Exception):
    """A build failed; the message holds what it printed last."""


class Workshop:
    """One folder with all of it.

    Attributes:
        tools: an environment with what the build needs.
        sources: folder of source distributions.
    """

    def __init__(self, folder: Path) -> None:
        """Begin in an empty folder that others can enter."""
        self._folder = folder
        self.tools = folder / "tools"
        self.sources = folder / "sources"
        self.sources.mkdir()
        self._wheels = folder / "wheels"
        self._wheels.mkdir()

    def build(self, entry: str, archive: Path, environment: Mapping[str, str]) -> Path:
        """Build the wheel of an entry of a lock.

        Args:
            entry: with the version and the hashes.
            archive: the source distribution, one of `sources`.
            environment: variables of the build.

        Raises:
            WorkshopError: it failed.
            rdna1.target.venvs.built_wheel.BuiltWheelError: it made something else than the wheel.
            OSError: a folder or file could not be written.
        """
        name = entry_name(entry)
        number = unused_id() if os.geteuid() == 0 else None
        # Private: the folder of the build, and below it all that it may write.
        room = self._folder / name
        room.mkdir()
        work = room / "work"
        folders = (work, work / "tmp", work / "wheels")
        for folder in folders:
            folder.mkdir(mode=0o700)
        if number is not None:
            for folder in reversed(folders):
                os.chown(folder, number, number)
        requirement = self.sources / f"{name}.txt"
        requirement.write_text(entry)
        log = room / "log"
        try:
            status = run_unprivileged(
                self._command(requirement, archive, work),
                number,
                work,
                {**environment, **self._variables(work)},
                log,
                _SECONDS,
            )
        except UnprivilegedError as error:
            raise WorkshopError(f"the build of {name}: {error}\n{_end_of(log)}".strip()) from error
        if status != 0:
            ended = how_it_ended(status)
            raise WorkshopError(f"{_end_of(log)}\nthe build of {name} {ended}".strip())
        version = entry.partition("==")[2].split()[0]
        owner = os.geteuid() if number is None else number
        return take_wheel(work / "wheels", owner, name, version, self._wheels)

    def _command(self, requirement: Path, archive: Path, work: Path) -> list[str]:
        return [
            *(str(self.tools / "bin" / "python"), "-I", "-B", "-m", "pip", "wheel"),
            *("--no-deps", "--no-build-isolation", "--require-hashes", "--no-index"),
            *("--no-binary", ":all:", "--find-links", str(archive.parent)),
            *("--no-cache-dir", "--disable-pip-version-check", "--no-input"),
            *("--wheel-dir", str(work / "wheels"), "--requirement", str(requirement)),
        ]

    def _variables(self, work: Path) -> dict[str, str]:
        return {
            "PATH": f"{self.tools / 'bin'}:{_PATH}",
            "HOME": str(work),
            "TMPDIR": str(work / "tmp"),
            "LC_ALL": "C.UTF-8",
            "PIP_CONFIG_FILE": os.devnull,
        }


@contextmanager
def workshop(folder: Path) -> Iterator[Workshop]:
    """Give a new workshop, which is removed at the end.

    Args:
        folder: this process's own; what killed runs left there is removed.

    Raises:
        OSError: a folder could not be made.
    """
    for left in folder.glob(f"{_PREFIX}*"):
        _remove(left)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
    try:
        made.chmod(0o755)
        yield Workshop(made)
    finally:
        _remove(made)


def _remove(folder: Path) -> None:
    """Remove what others wrote: rm follows no links, and no depth of folders stops it."""
    subprocess.run(  # noqa: S603 (an argument list, no shell)
        ["rm", "-rf", "--one-file-system", "--", str(folder)],  # noqa: S607
        check=False,
    )


def _end_of(log: Path) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_OF_LOG))
        return printable_lines(file.read().decode(errors="replace").strip())
