"""What a sweep writes down after each case, so that a later identical one goes on from there.

A file of JSON lines: a `Header`, then one `SweepCase` for each result and one `Sitting` for each
time that the sweep was run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, TypeVar

import msgspec

from rdna1.conv.circumstances import Circumstances
from rdna1.conv.result import DeviceInfo
from rdna1.conv.sweep.grid import Grid
from rdna1.conv.sweep.report import SweepCase
from rdna1.errors import InputError
from rdna1.target.exclusive_lock import describe_holder, try_lock

R = TypeVar("R")

# Of a list of values in a message.
_MOST_SHOWN = 60


class JournalError(InputError):
    """A journal that cannot be gone on with; one line with the remedy."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be the same for a sweep to go on.

    Attributes:
        requested: the device as it was asked for.
        timeout: seconds for each of the two runs of a case.
        shard: as in ``1/2``.
        grid: written out.
    """

    schema_version: Literal[1] = 1
    kind: Literal["sweep-journal"] = "sweep-journal"
    requested: str
    timeout: float
    shard: str
    grid: Grid


class Sitting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One time that the sweep was run.

    Attributes:
        device: where the cases ran, None when no worker could start.
        measured: where and when.
        workers_lost: number of worker processes that died or had to be killed.
        wall_seconds: from start to end.
        kernel_log_unavailable: why no reset would have been noticed, empty if one would.
        resets: what the kernel said about resets of a card.
    """

    device: DeviceInfo | None
    measured: Circumstances
    workers_lost: int
    wall_seconds: float
    kernel_log_unavailable: str
    resets: list[str]


class Journal:
    """A context manager; inside it no other run has the file.

    Args:
        path: the file; it is made if need be. None keeps nothing.
        header: of this run.

    Attributes:
        cases: results of earlier sittings, and those added since.
        sittings: the earlier ones, and those added since.
    """

    def __init__(self, path: Path | None, header: Header) -> None:
        """Read what earlier sittings have left.

        Raises:
            JournalError: the file cannot be used, is of another sweep, or is in use.
        """
        self.cases: list[SweepCase] = []
        self.sittings: list[Sitting] = []
        self._path = path
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = _locked(path)
                self._read(path, self._file, header)
            except OSError as error:
                raise JournalError(f"{path}: {error.strerror}") from error

    def __enter__(self) -> Journal:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def add_case(self, result: SweepCase) -> None:
        """Write a result down; on the disk when this returns, as the card may stop the machine."""
        self.cases.append(result)
        self._write(result)

    def add_sitting(self, sitting: Sitting) -> None:
        """Write down that a sitting has ended."""
        self.sittings.append(sitting)
        self._write(sitting)

    def check_circumstances(self, present: Circumstances) -> None:
        """See that this sitting measures what the earlier ones did.

        Raises:
            JournalError: the card, its driver, torch or the environment is another one.
        """
        if self._path and self.sittings:
            _refuse_other(self._path, self.sittings[-1].measured, present)

    def remove(self) -> None:
        """Remove the file: there is nothing to go on with."""
        if self._path:
            self._path.unlink(missing_ok=True)

    def _read(self, path: Path, file: BinaryIO, header: Header) -> None:
        lines = file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            # The machine stopped while it was written.
            file.truncate(sum(map(len, lines[:-1])))
            del lines[-1]
        file.seek(0, os.SEEK_END)
        if not lines:
            self._write(header)
            return
        _refuse_other(path, _decoded(path, 1, lines[0], Header), header)
        for number, line in enumerate(lines[1:], 2):
            if line.startswith(b'{"case":'):
                self.cases.append(_decoded(path, number, line, SweepCase))
            else:
                self.sittings.append(_decoded(path, number, line, Sitting))

    def _write(self, record: msgspec.Struct) -> None:
        if self._file is None or self._path is None:
            return
        try:
            self._file.write(msgspec.json.encode(record) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}") from error


def _locked(path: Path) -> BinaryIO:
    # For the owner alone: whoever can open a file can hold its lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    file = os.fdopen(descriptor, "r+b")
    if os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600)
    if not try_lock(descriptor):
        by = describe_holder(descriptor)
        file.close()
        raise JournalError(f"{path}: another run writes to it, {by}; wait for that")
    return file


def _decoded(path: Path, number: int, line: bytes, kind: type[R]) -> R:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JournalError(
            f"{path}:{number}: no journal of a sweep: {error}; remove it to start again"
        ) from error


def _refuse_other(path: Path, then: msgspec.Struct, now: msgspec.Struct) -> None:
    """Refuse to go on with another sweep, and say what is different."""
    pairs = zip(_flat(then), _flat(now), strict=True)
    differences = [
        f"{name} was {_shown(old)} and is {_shown(new)}"
        for (name, old), (_, new) in pairs
        if old != new and name != "date"
    ]
    if differences:
        raise JournalError(
            f"{path} is of another sweep: {'; '.join(differences)}; remove it to start again"
        )


def _flat(record: msgspec.Struct) -> Iterator[tuple[str, object]]:
    """Names and values of a structure, those of a grid in it as its own."""
    for name, value in msgspec.structs.asdict(record).items():
        if isinstance(value, Grid):
            yield from _flat(value)
        else:
            yield name, value


def _shown(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
