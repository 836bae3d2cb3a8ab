"""What a measurement writes down around each case, so that a later equal one goes on from there.

A file of JSON lines: a header that says what is measured, then for each time that it was run one
`Begun`, a `Started` and a result for each case, and one `Session`. The last one is missing where
the process was killed or the machine stopped.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, TypeVar

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult, DeviceInfo
from rdna1.errors import InputError
from rdna1.measure.conditions import Conditions
from rdna1.target.exclusive_lock import describe_holder, try_lock

R = TypeVar("R")
C = TypeVar("C", bound=CaseResult)

# Why a case counts as a hang that has no result.
STOPPED_MACHINE = "the machine stopped while it ran"

# Of a list of values in a message.
_MOST_SHOWN = 60


class JournalError(InputError):
    """A journal that cannot be resumed; one line with the remedy."""


class OtherRunError(JournalError):
    """What is in the journal was measured elsewhere, or of other things."""


class Begun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a device was opened, and where and when.

    Attributes:
        measured: the conditions.
        max_hangs: how many were allowed in all, None where it makes no difference.
    """

    measured: Conditions
    max_hangs: int | None = None


class Started(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a case runs from now on.

    Attributes:
        started: the case.
        boot: which start of the machine it is; empty where the kernel does not say.
    """

    started: ConvCase
    boot: str


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    measured: Conditions
    workers_lost: int
    wall_seconds: float
    kernel_log_unavailable: str
    resets: list[str]


class Journal(Generic[C]):
    """A context manager; inside it no other run has the file.

    Args:
        path: the file; it is made if need be. None keeps nothing.
        header: what must be the same to go on; its ``kind`` ends in ``-journal``.
        result: type of the results.

    Attributes:
        cases: results of earlier sessions, and those added since.
        max_hangs: for each of them, how many hangs its session was allowed.
        sessions: the earlier ones, and those added since.
        cut_short: the case during which the machine stopped the last time, None without one.
    """

    def __init__(self, path: Path | None, header: msgspec.Struct, result: type[C]) -> None:
        """Read what earlier sessions have left.

        Raises:
            JournalError: the file cannot be used or is in use.
            OtherRunError: it is of another measurement.
        """
        self.cases: list[C] = []
        self.max_hangs: list[int | None] = []
        self.sessions: list[Session] = []
        self.cut_short: ConvCase | None = None
        self._begun: Begun | None = None
        self._header = header
        self._result = result
        self._path = path
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = file = _locked(path)
                with contextlib.ExitStack() as closing:
                    closing.callback(file.close)
                    self._read(path, file)
                    closing.pop_all()
            except OSError as error:
                raise JournalError(f"{path}: {error.strerror}") from error

    def __enter__(self) -> Journal[C]:
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

    def begin(self, present: Conditions, max_hangs: int | None = None) -> None:
        """Write down that a session has opened its device, and see that it is the earlier one's.

        Args:
            present: where and when.
            max_hangs: see `Begun`.

        Raises:
            OtherRunError: the card, its driver, torch or the environment is another one.
        """
        earlier = [each.measured for each in self.sessions]
        if self._begun:
            earlier.append(self._begun.measured)
        if self._path and earlier:
            self._refuse_other(self._path, earlier[-1], present)
        self._begun = Begun(measured=present, max_hangs=max_hangs)
        self._write(self._begun)

    def start(self, case: ConvCase) -> None:
        """Write down that a case runs from now on; on the disk when this returns."""
        self._write(Started(started=case, boot=_boot()))

    def add_case(self, result: C) -> None:
        """Write a result down; on the disk when this returns, as the card may stop the machine."""
        self._add(result)
        self._write(result)

    def add_session(self, session: Session) -> None:
        """Write down that a session has ended."""
        self.sessions.append(session)
        self._write(session)

    def _add(self, result: C) -> None:
        self.cases.append(result)
        self.max_hangs.append(self._begun.max_hangs if self._begun else None)

    def remove(self) -> None:
        """Remove the file: there is nothing to go on with."""
        if self._path:
            self._path.unlink(missing_ok=True)

    def _read(self, path: Path, file: BinaryIO) -> None:
        lines = file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            # The machine stopped while it was written.
            file.truncate(sum(map(len, lines[:-1])))
            del lines[-1]
        file.seek(0, os.SEEK_END)
        if not lines:
            self._write(self._header)
            return
        header = self._decoded(path, 1, lines[0], type(self._header))
        self._refuse_other(path, header, self._header)
        running: Started | None = None
        for number, line in enumerate(lines[1:], 2):
            if line.startswith(b'{"started":'):
                running = self._decoded(path, number, line, Started)
                continue
            running = None
            if line.startswith(b'{"case":'):
                self._add(self._decoded(path, number, line, self._result))
            elif line.startswith(b'{"measured":'):
                self._begun = self._decoded(path, number, line, Begun)
            else:
                self.sessions.append(self._decoded(path, number, line, Session))
        # Killed on a machine that runs on, it is just run again.
        if running and running.boot != _boot():
            self.cut_short = running.started

    def _write(self, record: msgspec.Struct) -> None:
        if self._file is None or self._path is None:
            return
        try:
            self._file.write(msgspec.json.encode(record) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}") from error

    def _decoded(self, path: Path, number: int, line: bytes, kind: type[R]) -> R:
        try:
            return msgspec.json.decode(line, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise JournalError(
                f"{path}:{number}: no journal of a {self._kind}: {error}; remove it to start again"
            ) from error

    def _refuse_other(self, path: Path, then: msgspec.Struct, now: msgspec.Struct) -> None:
        """Refuse to go on with another measurement, and say what is different."""
        pairs = zip(_flat(then), _flat(now), strict=True)
        differences = [
            f"{name} was {_shown(old)} and is {_shown(new)}"
            for (name, old), (_, new) in pairs
            if old != new and name != "date"
        ]
        if differences:
            raise OtherRunError(
                f"{path} is of another {self._kind}: {'; '.join(differences)}; "
                "remove it to start again"
            )

    @property
    def _kind(self) -> str:
        return str(getattr(self._header, "kind", "run")).removesuffix("-journal")


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


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


def _flat(record: msgspec.Struct) -> Iterator[tuple[str, object]]:
    """Yield names and values of a structure, those of a structure in it as its own."""
    for name, value in msgspec.structs.asdict(record).items():
        if isinstance(value, msgspec.Struct):
            yield from _flat(value)
        else:
            yield name, value


def _shown(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
